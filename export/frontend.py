"""Reference front end: audio file to model input, driven by the manifest alone.

This is the plain-numpy statement of what the app's Rust front end must compute. Every branch is a
value of a manifest field; none belongs to one model. Arithmetic is float64 until the final cast.

Order of operations: decode -> mean of channels -> leave out the silence at both ends, keep the first
`max_seconds` of the rest -> resample -> clip -> peak normalise -> frames -> spectrum -> mel -> log -> blocks -> (network) -> pool.

Mel scales: HTK (S. Young et al., The HTK Book) and Slaney (M. Slaney, Auditory Toolbox, 1998).
"""

from functools import lru_cache
from math import ceil, gcd
from pathlib import Path

import numpy as np
import soundfile as sf

# Peak below which a sound is called silent and gets no embedding (-80 dBFS).
SILENCE_PEAK = 1e-4
# A sample further below the peak of the whole sound than this is silence at its ends (-60 dB).
INAUDIBLE = np.float32(1e-3)
# Rate pairs with more phases than this have their kernels computed per output sample.
MAX_PHASES = 4096
AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf"}


def find_audio(folder):
    """Returns the audio files under a folder, by suffix, in sorted order."""
    return sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())


def read_mono(path, max_seconds=None):
    """Decodes a file; returns (mean of the channels as it is heard in f32, rate in Hz)."""
    with sf.SoundFile(str(path)) as file:
        samples = file.read(-1, dtype="float32", always_2d=True)
        return excerpt(samples.mean(axis=1), file.samplerate, max_seconds), file.samplerate


def excerpt(mono, rate, max_seconds=None):
    """Returns the first `max_seconds` of a sound without the silence at its ends."""
    floor = np.abs(mono).max(initial=np.float32(0)) * INAUDIBLE
    heard = np.flatnonzero(np.abs(mono) > floor)
    if not len(heard):
        return mono[:0]
    end = len(mono) if max_seconds is None else heard[0] + int(max_seconds * rate)
    last = heard[heard < end][-1]
    return mono[heard[0] : last + 1]


# --- resampling -------------------------------------------------------------------------------


def kaiser_kernel(distance, scale, half_width, cutoff, beta):
    """Evaluates the Kaiser-windowed sinc at `distance` input samples from its centre.

    `scale` = min(1, out/in) widens the kernel when the rate goes down; `half_width` is in samples of
    the lower rate, `cutoff` a share of its Nyquist frequency.
    """
    position = distance * scale
    taper = np.i0(beta * np.sqrt(np.maximum(0.0, 1.0 - (position / half_width) ** 2))) / np.i0(beta)
    taper[np.abs(position) >= half_width] = 0.0
    return scale * cutoff * np.sinc(cutoff * position) * taper


def tap_offsets(scale, half_width):
    """Returns the input samples a kernel reaches, relative to the one at or before its centre."""
    reach = ceil(half_width / scale)
    return np.arange(-reach + 1, reach + 1)


@lru_cache(maxsize=16)
def phase_table(up, down, half_width, cutoff, beta):
    """Returns the kernels `[phases, taps]` of the reduced ratio up/down."""
    scale = min(1.0, up / down)
    distance = tap_offsets(scale, half_width)[None, :] - (np.arange(up) / up)[:, None]
    return kaiser_kernel(distance, scale, half_width, cutoff, beta)


def resample_kaiser(samples, rate_in, rate_out, half_width, cutoff, beta):
    """Resamples by direct evaluation of a Kaiser-windowed sinc with no delay and zeros outside.

    With the numbers of the aisfx manifest this equals libsamplerate's SINC_MEDIUM to 1e-6. Returns
    `ceil(N * out / in) - 1` samples, the length that library's users see.
    """
    common = gcd(int(rate_in), int(rate_out))
    up, down = int(rate_out) // common, int(rate_in) // common
    scale = min(1.0, up / down)
    offsets = tap_offsets(scale, half_width)
    reach = len(offsets) // 2
    padded = np.concatenate([np.zeros(reach), samples, np.zeros(reach + 1)])
    out = np.empty(max(0, ceil(len(samples) * up / down) - 1))
    for start in range(0, len(out), 8192):
        ticks = np.arange(start, min(len(out), start + 8192), dtype=np.int64) * down
        base, phase = ticks // up, ticks % up
        if up <= MAX_PHASES:
            kernels = phase_table(up, down, half_width, cutoff, beta)[phase]
        else:
            kernels = kaiser_kernel(offsets[None, :] - (phase / up)[:, None], scale, half_width, cutoff, beta)
        taps = padded[base[:, None] + (offsets + reach)[None, :]]
        out[start : start + len(ticks)] = np.einsum("ij,ij->i", taps, kernels)
    return out


def resample(samples, rate_in, audio):
    """Resamples to the manifest's rate with the manifest's resampler."""
    rate_out, kind = audio["sample_rate"], audio["resampler"]
    if rate_in == rate_out or len(samples) == 0:
        return np.asarray(samples, np.float64)
    if kind["kind"] == "kaiser_sinc":
        numbers = (kind["half_width"], kind["cutoff"], kind["beta"])
        return resample_kaiser(samples, rate_in, rate_out, *numbers)
    import soxr  # only for models that accept any high-quality resampler

    return soxr.resample(np.asarray(samples, np.float64), rate_in, rate_out, "HQ")


def condition(samples, rate_in, audio):
    """Resamples, clips and peak-normalises mono audio; returns (samples f32, peak after clipping)."""
    out = resample(samples, rate_in, audio)
    if audio.get("clip"):
        out = np.clip(out, -audio["clip"], audio["clip"])
    out = out.astype(np.float32)
    peak = float(np.abs(out).max(initial=0.0))
    if audio["peak_normalize"] and peak > 0.0:
        out = out / np.float32(peak)
    return out, peak


# --- log-mel ----------------------------------------------------------------------------------


def hz_to_mel(hz, scale):
    """Converts Hz to mel on the HTK or the Slaney scale."""
    hz = np.asarray(hz, np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    above = 15.0 + 27.0 * np.log(np.maximum(hz, 1e-9) / 1000.0) / np.log(6.4)
    return np.where(hz >= 1000.0, above, 3.0 * hz / 200.0)


def mel_to_hz(mel, scale):
    """Converts mel to Hz; the inverse of `hz_to_mel`."""
    mel = np.asarray(mel, np.float64)
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel >= 15.0, 1000.0 * np.exp(np.log(6.4) / 27.0 * (mel - 15.0)), 200.0 * mel / 3.0)


def mel_matrix(rate, n_fft, mel):
    """Returns the filter bank `[bands, n_fft / 2 + 1]` in f64."""
    bins_hz = np.arange(n_fft // 2 + 1) * rate / n_fft
    ends = hz_to_mel([mel["fmin"], mel["fmax"]], mel["scale"])
    edges_mel = np.linspace(ends[0], ends[1], mel["bands"] + 2)
    edges_hz = mel_to_hz(edges_mel, mel["scale"])
    in_mel = mel["triangles"] == "mel"
    edges = edges_mel if in_mel else edges_hz
    at = hz_to_mel(bins_hz, mel["scale"]) if in_mel else bins_hz
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bank = np.maximum(0.0, np.minimum((at - low) / (mid - low), (high - at) / (high - mid)))
    if mel["norm"] == "unit_sum":
        bank /= bank.sum(axis=1, keepdims=True)
    elif mel["norm"] == "slaney":
        bank *= 2.0 / (edges_hz[2:] - edges_hz[:-2])[:, None]
    if mel.get("zero_dc"):
        bank[:, 0] = 0.0
    return bank


@lru_cache(maxsize=4)
def cached_mel_matrix(rate, n_fft, mel_items):
    """Builds each filter bank once; `mel_items` is the manifest's `mel` as a tuple of pairs."""
    return mel_matrix(rate, n_fft, dict(mel_items))


def hann(kind, length):
    """Returns the Hann window, symmetric (denominator L-1) or periodic (L)."""
    period = {"hann_symmetric": length - 1, "hann_periodic": length}[kind]
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / period)


def frame(samples, stft):
    """Cuts audio into frames `[frames, win_length]` by the manifest's framing rule."""
    length, hop, framing = stft["win_length"], stft["hop"], stft["framing"]
    n = len(samples)
    if framing == "centered_zero_until_end":
        # Frame i starts at i*hop - L/2; every frame whose start lies before the end counts.
        count = ceil((n + length // 2) / hop)
        padded = np.zeros(length // 2 + count * hop + length)
        padded[length // 2 : length // 2 + n] = samples
    elif framing in ("centered_reflect", "centered_zero"):
        mode = "reflect" if framing == "centered_reflect" else "constant"
        padded = np.pad(samples, stft["n_fft"] // 2, mode=mode)
        count = 1 + (len(padded) - stft["n_fft"]) // hop
    elif framing == "none":
        padded = np.pad(samples, (0, max(0, length - n)))
        count = 1 + (len(padded) - length) // hop
    else:
        raise ValueError(f"unknown framing: {framing}")
    return np.lib.stride_tricks.sliding_window_view(padded, length)[: (count - 1) * hop + 1 : hop]


def log_mel_unscaled(samples, manifest):
    """Returns the log-mel spectrogram `[frames, bands]` in f64 before the manifest's `norm`."""
    stft, log = manifest["stft"], manifest["log"]
    frames = frame(np.asarray(samples, np.float64), stft) * hann(stft["window"], stft["win_length"])
    spectrum = np.abs(np.fft.rfft(frames, n=stft["n_fft"], axis=1))
    if stft["spectrum"] == "power":
        spectrum **= 2
    bank = cached_mel_matrix(manifest["audio"]["sample_rate"], stft["n_fft"], tuple(manifest["mel"].items()))
    values = log["scale"] * (spectrum @ bank.T) + log["offset"]
    if log.get("floor") is not None:
        values = np.maximum(values, log["floor"])
    return log["mult"] * (np.log10(values) if log["base"] == 10 else np.log(values))


def log_mel(samples, manifest):
    """Returns the normalised log-mel spectrogram `[frames, bands]` in f32."""
    norm = manifest["norm"]
    return ((log_mel_unscaled(samples, manifest) - norm["mean"]) / norm["std"]).astype(np.float32)


# --- blocks and pooling -----------------------------------------------------------------------


def starts_of(total, size, hop, tail):
    """Returns the starts of the blocks that cover `total` >= `size` rows or samples."""
    starts = list(range(0, total - size + 1, hop))
    if tail == "align_end" and starts[-1] != total - size:
        starts.append(total - size)
    return starts


def audio_windows(samples, window):
    """Splits audio into the model's fixed windows when the manifest gives one in samples.

    Short audio is repeated a whole number of times and then zero-padded (`repeat_audio_floor`), as
    CLAP was trained.
    """
    size = window.get("samples")
    if size is None:
        return [samples]
    if len(samples) < size:
        whole = np.tile(samples, max(1, size // max(1, len(samples))))
        return [np.pad(whole, (0, size - len(whole)))]
    hop = window.get("hop_samples", size)
    return [samples[i : i + size] for i in starts_of(len(samples), size, hop, window["tail"])]


def blocks(rows, window):
    """Splits log-mel rows `[T, bands]` into blocks `[B, frames, bands]`."""
    total, size = len(rows), window["frames"]
    if total >= size:
        starts = starts_of(total, size, window["hop_frames"], window["tail"])
        return np.stack([rows[i : i + size] for i in starts])
    if window["short"] == "repeat_frames":
        return np.tile(rows, (ceil(size / total), 1))[:size][None]
    target = max(total, window["min_frames"]) if window["short"] == "native" else size
    fill = np.full((target - total, rows.shape[1]), window["pad_value"], np.float32)
    return np.concatenate([rows, fill])[None]


def model_input(samples, manifest):
    """Turns conditioned audio into the network's input batch, in the manifest's layout."""
    pieces = audio_windows(samples, manifest["window"])
    if manifest["input"]["kind"] == "waveform":
        return np.stack(pieces).astype(np.float32)
    batch = np.concatenate([blocks(log_mel(piece, manifest), manifest["window"]) for piece in pieces])
    return batch[:, None] if manifest["input"]["layout"] == "NCTF" else batch


def pool(embeddings, output):
    """Pools block embeddings `[B, dim]` into one vector and scales it to unit length if the output asks for it."""
    vector = {"mean": embeddings.mean(0), "max": embeddings.max(0), "first": embeddings[0]}[output["pool"]]
    length = np.linalg.norm(vector)
    return vector / length if output.get("l2") and length > 0 else vector


def run_blocks(session, batch, names):
    """Runs the network over a batch; returns an array `[B, dim]` for each output named.

    One block at a time: batching gains nothing.
    """
    source = session.get_inputs()[0].name
    runs = [session.run(names, {source: batch[i : i + 1]}) for i in range(len(batch))]
    return [np.concatenate(rows) for rows in zip(*runs)]


def pooled_outputs(session, batch, manifest):
    """Runs the network over a batch; returns {output: vector}, the side outputs included."""
    outputs = [manifest["output"], *manifest.get("side_outputs", [])]
    arrays = run_blocks(session, batch, [output["name"] for output in outputs])
    return {output["name"]: pool(rows, output) for output, rows in zip(outputs, arrays)}


def embed_samples(samples, rate, manifest, session):
    """Embeds mono audio; returns the pooled vector, or None for silence."""
    conditioned, peak = condition(samples, rate, manifest["audio"])
    if peak < SILENCE_PEAK:
        return None
    output = manifest["output"]
    return pool(run_blocks(session, model_input(conditioned, manifest), [output["name"]])[0], output)


def embed_file(path, manifest, session, max_seconds=None):
    """Embeds the start of a file as it is heard, at most the manifest's `max_seconds` unless another is given."""
    seconds = max_seconds if max_seconds is not None else manifest["audio"]["max_seconds"]
    samples, rate = read_mono(path, seconds)
    return embed_samples(samples, rate, manifest, session)
