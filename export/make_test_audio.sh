#!/usr/bin/env bash
# Writes tests/audio: one 0.3 s sound in every format that is decoded, and some that only must not do harm.
# Needs ffmpeg and sox. Usage: export/make_test_audio.sh [FOLDER]
set -euo pipefail
out=${1:-tests/audio}
mkdir -p "$out"
source=$(mktemp --suffix .wav)
# A falling tone with a noisy start: every codec keeps its shape, and it has a beginning and an end to compare.
ffmpeg -v error -y -f lavfi -i "aevalsrc='0.6*exp(-5*t)*sin(2*PI*(600*t-300*t*t))+0.1*exp(-40*t)*random(0)':s=44100:d=0.3" \
    -c:a pcm_f32le "$source"
make() { ffmpeg -v error -y -i "$source" -map_metadata -1 -fflags +bitexact -flags:a +bitexact "${@:2}" "$out/$1"; }

for bits in u8 s16le s24le s32le f32le f64le alaw mulaw; do make "wav_$bits.wav" -c:a "pcm_$bits"; done
make wav_adpcm_ms.wav -c:a adpcm_ms
make wav_adpcm_ima.wav -c:a adpcm_ima_wav
make wav_stereo.wav -ac 2 -c:a pcm_s16le
make wav_6_channels.wav -ac 6 -c:a pcm_s16le
make wav_rf64.wav -rf64 always -c:a pcm_s16le
make wav_8000.wav -ar 8000 -c:a pcm_s16le
make wav_96000.wav -ar 96000 -c:a pcm_s24le
make aiff_s16.aiff -c:a pcm_s16be
make aiff_s24.aiff -c:a pcm_s24be
make aifc_fl32.aifc -f aiff -c:a pcm_f32be
sox "$source" -t aifc "$out/aifc_sowt.aifc" 2>/dev/null || true
for bits in 16 24; do make "flac_$bits.flac" -c:a flac -sample_fmt s$((bits == 16 ? 16 : 32)); done
make mp3_cbr.mp3 -c:a libmp3lame -b:a 128k
make mp3_vbr.mp3 -c:a libmp3lame -q:a 4
make mp3_mpeg2.mp3 -ar 22050 -c:a libmp3lame -b:a 64k
make mp3_mpeg25.mp3 -ar 11025 -c:a libmp3lame -b:a 32k
make mp3_no_xing.mp3 -c:a libmp3lame -q:a 4 -write_xing 0
make mp2.mp2 -c:a mp2 -b:a 128k
make vorbis.ogg -c:a libvorbis -q:a 4
make opus.opus -c:a libopus -b:a 64k
make aac.m4a -c:a aac -b:a 96k
make aac_adts.aac -c:a aac -b:a 96k
make alac.m4a -c:a alac
make caf_s16.caf -c:a pcm_s16le
make caf_alac.caf -c:a alac
make vorbis.mka -c:a libvorbis -q:a 4
make flac.mkv -c:a flac
make opus.webm -c:a libopus -b:a 64k
cat "$out/vorbis.ogg" "$out/vorbis.ogg" > "$out/chained.ogg"
make ogg_flac.oga -c:a flac
# Not decoded: they must say so.
make unsupported.au -c:a pcm_s16be
make unsupported.w64 -c:a pcm_s16le
make unsupported.wv -c:a wavpack
rm "$source"
du -sh "$out"
