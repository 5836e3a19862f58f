#!/usr/bin/env python3
"""Synthesises the demo library: short drum, bass, melodic and effect sounds, free of any recording.

Every sound is a formula with a seeded random part, so the library can be made again and is released
under CC0. Output: 44.1 kHz 16-bit FLAC, 0.1 to 3 s, in one folder a kind.

Methods: swept sines and filtered noise for drums, detuned square waves for metal (the way analogue
drum machines did), subtractive voices, Karplus-Strong strings (Computer Music Journal 7:2, 1983),
frequency modulation for bells (Chowning, JAES 21:7, 1973) and a source-filter voice.
"""

import argparse
import zlib
from pathlib import Path

import numpy as np
import soundfile as sf
from scipy.signal import butter, lfilter, sosfilt

RATE = 44100
MAX_BYTES = 2_500_000
# Peaks are set between these (dBFS), so that level differs from sound to sound as it does in life.
PEAK_DB = (-9.0, -2.0)
LICENSE = """The sounds in this folder are synthesised by export/make_demo.py and dedicated to the public domain
under CC0 1.0 Universal: https://creativecommons.org/publicdomain/zero/1.0/

To the extent possible under law, the authors have waived all copyright and related or neighbouring
rights to these sounds. You may copy, change, distribute and perform them, even for commercial
purposes, without asking permission. They come without warranty of any kind.
"""


# --- building blocks --------------------------------------------------------------------------


def times(seconds):
    """Returns sample times in s."""
    return np.arange(int(seconds * RATE)) / RATE


def decay(t, seconds):
    """Returns an exponential that falls by 60 dB in `seconds`."""
    return np.exp(-6.9078 * t / seconds)


def attack(t, seconds):
    """Returns a raised-cosine rise from 0 to 1."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(t / seconds, 0, 1))


def sweep(hz):
    """Returns a sine that follows a frequency curve in Hz."""
    return np.sin(2 * np.pi * np.cumsum(hz) / RATE)


def saw(hz, t):
    """Returns a sawtooth, band-limited by summing harmonics below 16 kHz."""
    partials = np.arange(1, max(2, int(16000 / hz)))
    return sum(np.sin(2 * np.pi * hz * n * t) / n for n in partials) * (2 / np.pi)


def square(hz, t):
    """Returns a plain square wave; its aliases suit metallic sounds."""
    return np.sign(np.sin(2 * np.pi * hz * t))


def band(x, low=None, high=None, order=2):
    """Filters with a Butterworth low-, high- or band-pass, by which edges (Hz) are given."""
    if low and high:
        sections = butter(order, [low, high], "bandpass", fs=RATE, output="sos")
    elif low:
        sections = butter(order, low, "highpass", fs=RATE, output="sos")
    else:
        sections = butter(order, high, "lowpass", fs=RATE, output="sos")
    return sosfilt(sections, x)


def swept_filter(x, cutoff, resonance, kind="low"):
    """Filters with a state-variable filter whose cutoff (Hz) is a curve; `resonance` from 0 to 1."""
    step = 2 * np.sin(np.pi * np.clip(cutoff, 20, RATE / 7) / RATE)
    damping, low, middle = 2 * (1 - 0.97 * resonance), 0.0, 0.0
    out = np.empty_like(x)
    for i, (sample, f) in enumerate(zip(x.tolist(), step.tolist())):
        low += f * middle
        high = sample - low - damping * middle
        middle += f * high
        out[i] = low if kind == "low" else middle if kind == "band" else high
    return out


def resonator(x, hz, width):
    """Rings at `hz` with a bandwidth in Hz: one formant."""
    radius = np.exp(-np.pi * width / RATE)
    return lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hz / RATE), radius**2], x)


def drive(x, amount):
    """Saturates softly."""
    return np.tanh(x * amount) / np.tanh(amount)


def wide(left, right):
    """Joins two channels."""
    return np.stack([left, right], axis=1)


def note(number):
    """Converts a MIDI note to Hz."""
    return 440.0 * 2 ** ((number - 69) / 12)


# --- drums ------------------------------------------------------------------------------------


def kick(rng, base, start, drop, length, grit, click):
    t = times(length)
    body = sweep(base + (start - base) * decay(t, drop)) * decay(t, length * 0.95) * attack(t, 0.001)
    tick = band(rng.standard_normal(len(t)), 1500, 7000) * decay(t, 0.02) * click
    return drive(body + tick, grit)


def snare(rng, base, length, wires, low, high):
    t = times(length)
    shell = sweep(base * (1 + 0.6 * decay(t, 0.05))) + 0.6 * sweep(1.62 * base * (1 + 0.3 * decay(t, 0.04)))
    rattle = band(rng.standard_normal(len(t)), low, high) * decay(t, length * 0.9)
    snap = band(rng.standard_normal(len(t)), 3000, 12000) * decay(t, 0.03)
    return drive(0.7 * shell * decay(t, length * 0.45) + wires * rattle + 0.5 * snap, 1.4)


def hat(rng, length, pitch, colour, noisy):
    t = times(length)
    metal = sum(square(pitch * ratio, t) for ratio in (2.0, 3.0, 4.16, 5.43, 6.79, 8.21)) / 6
    sizzle = rng.standard_normal(len(t)) * noisy
    return band(metal + sizzle, colour, order=4) * decay(t, length * 0.9) * attack(t, 0.0007)


def clap(rng, gaps, tail, centre, spread):
    t = times(0.06 + tail)
    hands = sum(np.where(t >= gap, decay(np.maximum(t - gap, 0), 0.018), 0) for gap in gaps)
    room = np.where(t >= gaps[-1], decay(np.maximum(t - gaps[-1], 0), tail), 0)
    left, right = (rng.standard_normal(len(t)) * (hands + 0.6 * room) for _ in range(2))
    shape = lambda x: band(x, centre / spread, centre * spread)
    return wide(shape(left), shape(0.6 * left + 0.4 * right))


def tom(rng, base, length, bend):
    t = times(length)
    skin = sweep(base * (1 + bend * decay(t, 0.25))) + 0.35 * sweep(1.59 * base * np.ones_like(t)) * decay(t, 0.2)
    stick = band(rng.standard_normal(len(t)), 300, 3500) * decay(t, 0.03)
    return drive(skin * decay(t, length * 0.95) + 0.5 * stick, 1.2)


def cymbal(rng, length, low, tones, ping):
    t = times(length)
    plates = np.sort(rng.uniform(low, 11000, tones))
    ring = sum(np.sin(2 * np.pi * (hz * t + rng.random())) * decay(t, length * rng.uniform(0.4, 1.0)) for hz in plates)
    wash = band(rng.standard_normal(len(t)), low * 1.5, order=3) * decay(t, length * 0.8)
    hit = band(rng.standard_normal(len(t)), 4000) * decay(t, 0.02)
    return (ring / np.sqrt(tones) * ping + wash * (1 - ping) + 0.7 * hit) * attack(t, 0.002)


def rim(rng, low, high):
    t = times(0.12)
    wood = np.sin(2 * np.pi * low * t) * decay(t, 0.06) + np.sin(2 * np.pi * high * t) * decay(t, 0.03)
    return band(drive(wood + 0.4 * rng.standard_normal(len(t)) * decay(t, 0.006), 2.0), 250)


def cowbell(rng, first, second, length):
    t = times(length)
    return band(square(first, t) + square(second, t), 500, 4500) * (0.4 * decay(t, length) + 0.6 * decay(t, 0.06))


def shaker(rng, length, swing, colour):
    t = times(length)
    grains = band(rng.standard_normal(len(t)) * (rng.random(len(t)) < 0.25), colour, order=3)
    return grains * attack(t, length * swing) * decay(np.maximum(t - length * swing, 0), length * 0.6)


def woodblock(rng, hz):
    t = times(0.18)
    tones = sum(
        a * np.sin(2 * np.pi * hz * r * t) * decay(t, d)
        for r, a, d in ((1, 1, 0.14), (2.57, 0.5, 0.06), (4.1, 0.2, 0.03))
    )
    return tones + 0.3 * band(rng.standard_normal(len(t)), 1000, 6000) * decay(t, 0.008)


# --- tones ------------------------------------------------------------------------------------


def sub_bass(rng, midi, length):
    t = times(length)
    hz = note(midi)
    tone = sweep(hz * (1 + 0.5 * decay(t, 0.04))) + 0.15 * np.sin(4 * np.pi * hz * t)
    return drive(tone, 1.6) * attack(t, 0.004) * np.minimum(1, (length - t) / 0.12)


def acid_bass(rng, midi, length, opening, resonance):
    t = times(length)
    cutoff = 180 + opening * decay(t, length * 0.7)
    voice = swept_filter(saw(note(midi), t), cutoff, resonance)
    return drive(voice, 2.2) * attack(t, 0.002) * decay(t, length * 1.6) * np.minimum(1, (length - t) / 0.02)


def fm_bass(rng, midi, length, ratio, index):
    t = times(length)
    hz = note(midi)
    growl = np.sin(2 * np.pi * hz * t + index * decay(t, length * 0.6) * np.sin(2 * np.pi * hz * ratio * t))
    return growl * attack(t, 0.003) * decay(t, length * 1.1)


def reese_bass(rng, midi, length):
    t = times(length)
    hz = note(midi)
    layers = lambda cents: sum(saw(hz * 2 ** (c / 1200), t + rng.random()) for c in cents)
    shape = attack(t, 0.01) * np.minimum(1, (length - t) / 0.15)
    return wide(band(layers((-11, 4)), high=700) * shape, band(layers((-4, 11)), high=700) * shape)


def string_pluck(rng, midi, length, bright, damping):
    """Karplus-Strong: a noise burst in a delay line with a two-point average."""
    period = int(round(RATE / note(midi)))
    burst = band(rng.uniform(-1, 1, period), high=bright, order=1)
    source = np.zeros(int(length * RATE))
    source[:period] = burst
    feedback = np.zeros(period + 2)
    feedback[0], feedback[period], feedback[period + 1] = 1, -0.5 * damping, -0.5 * damping
    t = times(length)
    return lfilter([1], feedback, source)[: len(t)] * np.minimum(1, (length - t) / 0.05)


def fm_pluck(rng, midi, length, ratio, index):
    t = times(length)
    hz = note(midi)
    modulator = index * decay(t, 0.25) * np.sin(2 * np.pi * hz * ratio * t)
    return np.sin(2 * np.pi * hz * t + modulator) * attack(t, 0.002) * decay(t, length * 0.9)


def pad(rng, chord, length, dark, bright):
    t = times(length)
    shape = attack(t, length * 0.35) * attack(length - t, length * 0.35)
    curve = dark + (bright - dark) * (0.5 - 0.5 * np.cos(2 * np.pi * t / length))

    def side():
        voices = [
            saw(note(midi) * 2 ** (rng.uniform(-9, 9) / 1200), t + rng.random()) for midi in chord for _ in range(2)
        ]
        return swept_filter(sum(voices), curve, 0.2) * shape

    return wide(side(), side())


def choir_pad(rng, chord, length):
    t = times(length)
    shape = attack(t, length * 0.3) * attack(length - t, length * 0.35)
    tones = [saw(note(m) * (1 + 0.002 * rng.standard_normal()), t + rng.random()) for m in chord for _ in range(2)]
    voice = sum(
        a * resonator(sum(tones), hz, width) for hz, width, a in ((620, 90, 1.0), (1050, 110, 0.7), (2700, 160, 0.3))
    )
    return voice * shape


def bell(rng, midi, length, ratio, index):
    t = times(length)
    hz = note(midi)
    strike = np.sin(2 * np.pi * hz * t + index * decay(t, length * 0.6) * np.sin(2 * np.pi * hz * ratio * t))
    return (
        (strike + 0.3 * np.sin(2 * np.pi * 2.01 * hz * t) * decay(t, length * 0.4))
        * decay(t, length)
        * attack(t, 0.001)
    )


def chime(rng, hz, length):
    """A struck tube: the partials of a free bar, each with its own decay."""
    t = times(length)
    bar = ((1.0, 1.0), (2.756, 0.6), (5.404, 0.35), (8.933, 0.2))
    return sum(a * np.sin(2 * np.pi * hz * r * t) * decay(t, length / (0.6 + 0.4 * r)) for r, a in bar) * attack(
        t, 0.001
    )


# --- effects ----------------------------------------------------------------------------------


def noise_riser(rng, length, low, high):
    t = times(length)
    curve = low * (high / low) ** (t / length)
    return (
        swept_filter(rng.standard_normal(len(t)), curve, 0.75, "band")
        * (t / length) ** 1.5
        * np.minimum(1, (length - t) / 0.02)
    )


def tone_riser(rng, length, low, high):
    t = times(length)
    curve = low * (high / low) ** ((t / length) ** 1.6)
    trill = 1 + 0.02 * np.sin(2 * np.pi * (4 + 10 * t / length) * t)
    return (
        drive(sweep(curve * trill) + 0.5 * sweep(1.5 * curve), 1.5)
        * (0.2 + 0.8 * t / length)
        * attack(length - t, 0.03)
    )


def downer(rng, length, high, low):
    t = times(length)
    curve = high * (low / high) ** (t / length)
    wind = swept_filter(rng.standard_normal(len(t)), curve * 2, 0.6, "band") * 0.4
    return (sweep(curve) + wind) * attack(t, 0.01) * decay(t, length * 1.4) * attack(length - t, 0.1)


def zap(rng, high, low, drop, length, ratio, index):
    t = times(length)
    curve = low + (high - low) * decay(t, drop)
    phase = 2 * np.pi * np.cumsum(curve) / RATE
    return np.sin(phase + index * np.sin(ratio * phase)) * decay(t, length * 0.95) * attack(t, 0.001)


def blip(rng, steps, width):
    """A short run of square notes, softened, as in a game menu."""
    parts = []
    for midi in steps:
        t = times(width)
        parts.append(
            band(square(note(midi), t), high=5000) * decay(t, width * 1.3) * attack(t, 0.001) * attack(width - t, 0.004)
        )
    return np.concatenate(parts)


def burst(rng, length, low, high, rise):
    t = times(length)
    return band(rng.standard_normal(len(t)), low, high) * attack(t, rise) * decay(np.maximum(t - rise, 0), length)


def gust(rng, length, centre):
    t = times(length)
    wander = band(rng.standard_normal(len(t)), high=3, order=1)
    curve = centre * 2 ** (1.2 * wander / np.abs(wander).max())
    return (
        swept_filter(rng.standard_normal(len(t)), curve, 0.85, "band")
        * attack(t, length * 0.4)
        * attack(length - t, length * 0.5)
    )


def click(rng, hz, ring):
    t = times(0.1)
    return resonator(np.r_[1.0, -0.6, np.zeros(len(t) - 2)], hz, ring) + 0.05 * rng.standard_normal(len(t)) * decay(
        t, 0.01
    )


def crackle(rng, length, rate):
    t = times(length)
    pops = (rng.random(len(t)) < rate / RATE) * rng.uniform(0.2, 1.0, len(t))
    return sum(resonator(pops * rng.choice((-1, 1), len(t)), hz, hz / 3) for hz in (1200, 2600, 4800))


def vowel(rng, midi, length, formants, glide):
    """A pulse train with vibrato through three formants."""
    t = times(length)
    vibrato = 1 + 0.012 * np.sin(2 * np.pi * 5.4 * t) * attack(t, length * 0.5)
    hz = note(midi) * vibrato * 2 ** (glide * (t / length) / 12)
    pulses = np.diff(np.floor(np.cumsum(hz) / RATE), prepend=0.0)
    source = lfilter([1], [1, -0.96], pulses) + 0.004 * rng.standard_normal(len(t))
    voice = sum(a * resonator(source, f, w) for (f, a), w in zip(formants, (70, 100, 140)))
    return band(voice, 80) * attack(t, 0.04) * attack(length - t, length * 0.3)


# Formants in Hz with gains, after Peterson and Barney, JASA 24:2, 1952 (men's averages).
AH = ((730, 1.0), (1090, 0.6), (2440, 0.3))
EH = ((530, 1.0), (1840, 0.5), (2480, 0.3))
EE = ((270, 1.0), (2290, 0.4), (3010, 0.3))
OH = ((570, 1.0), (840, 0.7), (2410, 0.15))
OO = ((300, 1.0), (870, 0.4), (2240, 0.1))

# Folder -> (name, function, its arguments), one entry a sound.
LIBRARY = {
    "kicks": [
        ("kick", kick, (48, 190, 0.12, 0.5, 1.5, 0.3)),
        ("kick", kick, (44, 150, 0.25, 1.1, 1.2, 0.1)),
        ("kick", kick, (55, 320, 0.06, 0.3, 2.5, 0.6)),
        ("kick", kick, (60, 240, 0.09, 0.22, 1.8, 0.4)),
        ("kick", kick, (50, 420, 0.10, 0.45, 6.0, 0.5)),
        ("kick", kick, (68, 140, 0.05, 0.35, 1.1, 0.8)),
    ],
    "snares": [
        ("snare", snare, (185, 0.28, 0.8, 1200, 9000)),
        ("snare", snare, (220, 0.18, 0.6, 2000, 12000)),
        ("snare", snare, (160, 0.40, 1.0, 800, 7000)),
        ("snare", snare, (245, 0.14, 0.3, 3000, 11000)),
        ("snare", snare, (200, 0.32, 1.4, 1500, 14000)),
    ],
    "hats": [
        ("hat_closed", hat, (0.11, 205, 7000, 0.2)),
        ("hat_closed", hat, (0.12, 240, 8500, 0.5)),
        ("hat_closed", hat, (0.10, 180, 6000, 0.1)),
        ("hat_closed", hat, (0.16, 220, 9000, 0.9)),
        ("hat_open", hat, (0.55, 205, 7000, 0.3)),
        ("hat_open", hat, (0.80, 235, 8000, 0.6)),
    ],
    "claps": [
        ("clap", clap, ((0.0, 0.011, 0.023), 0.22, 1300, 1.8)),
        ("clap", clap, ((0.0, 0.008, 0.019, 0.028), 0.35, 1700, 2.2)),
        ("clap", clap, ((0.0, 0.014), 0.12, 1100, 1.5)),
    ],
    "toms": [
        ("tom", tom, (82, 0.7, 0.4)),
        ("tom", tom, (115, 0.55, 0.4)),
        ("tom", tom, (160, 0.45, 0.35)),
        ("tom", tom, (140, 0.35, 1.2)),
    ],
    "cymbals": [
        ("crash", cymbal, (1.4, 1800, 60, 0.3)),
        ("crash", cymbal, (1.0, 2600, 40, 0.2)),
        ("ride", cymbal, (1.1, 2900, 14, 0.7)),
        ("ride", cymbal, (0.8, 900, 9, 0.85)),
    ],
    "percussion": [
        ("rim", rim, (480, 1720)),
        ("rim", rim, (620, 2300)),
        ("cowbell", cowbell, (540, 800, 0.35)),
        ("cowbell", cowbell, (745, 1110, 0.25)),
        ("shaker", shaker, (0.16, 0.35, 5000)),
        ("shaker", shaker, (0.22, 0.5, 7000)),
        ("woodblock", woodblock, (820,)),
        ("woodblock", woodblock, (1240,)),
    ],
    "bass": [
        ("bass_sub", sub_bass, (31, 0.9)),
        ("bass_acid", acid_bass, (36, 0.5, 2600, 0.8)),
        ("bass_acid", acid_bass, (43, 0.4, 1500, 0.92)),
        ("bass_fm", fm_bass, (33, 0.7, 1.0, 4.0)),
        ("bass_fm", fm_bass, (38, 0.5, 2.0, 2.5)),
        ("bass_reese", reese_bass, (34, 0.9)),
    ],
    "plucks": [
        ("pluck_string", string_pluck, (52, 1.2, 6000, 0.997)),
        ("pluck_string", string_pluck, (64, 0.9, 9000, 0.995)),
        ("pluck_string", string_pluck, (45, 0.6, 2500, 0.985)),
        ("pluck_fm", fm_pluck, (67, 0.6, 3.0, 2.5)),
        ("pluck_fm", fm_pluck, (72, 0.5, 7.0, 1.2)),
    ],
    "pads": [
        ("pad", pad, ((45, 52, 60), 2.2, 250, 1400)),
        ("pad", pad, ((50, 57, 65), 2.0, 400, 900)),
        ("pad_choir", choir_pad, ((52, 59, 64), 2.2)),
    ],
    "bells": [
        ("bell", bell, (72, 1.6, 1.4, 5.0)),
        ("bell", bell, (84, 1.2, 3.5, 2.0)),
        ("bell", bell, (60, 2.0, 1.41, 7.0)),
        ("chime", chime, (880, 1.5)),
        ("chime", chime, (1320, 1.0)),
    ],
    "risers": [
        ("riser_noise", noise_riser, (1.8, 200, 5000)),
        ("riser_tone", tone_riser, (1.6, 110, 1760)),
        ("downer", downer, (1.4, 1600, 50)),
    ],
    "zaps": [
        ("zap", zap, (4200, 120, 0.20, 0.28, 1.0, 0.0)),
        ("zap", zap, (2600, 300, 0.35, 0.40, 2.0, 1.5)),
        ("zap", zap, (7000, 900, 0.10, 0.15, 1.5, 3.0)),
        ("blip", blip, ((76, 83), 0.07)),
        ("blip", blip, ((72, 76, 79, 84), 0.05)),
    ],
    "noise": [
        ("burst", burst, (0.3, 300, 3000, 0.005)),
        ("burst", burst, (0.5, 2000, 8000, 0.08)),
        ("gust", gust, (1.6, 700)),
        ("crackle", crackle, (1.0, 45)),
    ],
    "clicks": [
        ("click", click, (2400, 500)),
        ("click", click, (5200, 1500)),
        ("click", click, (900, 120)),
    ],
    "voices": [
        ("voice_ah", vowel, (48, 0.8, AH, -1)),
        ("voice_eh", vowel, (52, 0.6, EH, 2)),
        ("voice_ee", vowel, (55, 0.7, EE, 0)),
        ("voice_oh", vowel, (45, 0.9, OH, -3)),
        ("voice_oo", vowel, (57, 0.7, OO, 4)),
    ],
}


# --- program ----------------------------------------------------------------------------------


def finish(samples, rng):
    """Removes DC, fades the ends (1 ms in, 5 ms out) and sets the peak."""
    samples = np.asarray(samples, np.float64)
    samples = samples - samples.mean(axis=0)
    ends = np.ones(len(samples))
    ends[:44] = np.linspace(0, 1, 44)
    ends[-220:] = np.linspace(1, 0, 220)
    samples = samples * (ends if samples.ndim == 1 else ends[:, None])
    return samples * (10 ** (rng.uniform(*PEAK_DB) / 20) / np.abs(samples).max())


def render(folder, seed):
    """Writes every sound; returns the paths."""
    paths = []
    for kind, sounds in LIBRARY.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        counts = {}
        for name, function, arguments in sounds:
            counts[name] = counts.get(name, 0) + 1
            title = f"{name}_{counts[name]:02d}"
            rng = np.random.default_rng([seed, zlib.crc32(f"{kind}/{title}".encode())])
            path = folder / kind / f"{title}.flac"
            sf.write(path, finish(function(rng, *arguments), rng), RATE, subtype="PCM_16")
            paths.append(path)
    return paths


def check(paths):
    """Decodes every file and ends the program if one is too short or long, silent or clipped."""
    peaks, lengths, stereo = [], [], 0
    for path in paths:
        samples, rate = sf.read(path, dtype="int16", always_2d=True)
        level = samples.astype(np.float64) / 32768
        peak, rms, seconds = np.abs(level).max(), np.sqrt((level**2).mean()), len(level) / rate
        healthy = rate == RATE and np.isfinite(rms) and 0.1 <= seconds <= 3.0 and 0.3 < peak < 0.99 and rms > 0.004
        if not healthy:
            raise SystemExit(f"make_demo: peak {peak:.3f}, rms {rms:.4f}, {seconds:.2f} s: {path.name}")
        peaks.append(peak)
        lengths.append(seconds)
        stereo += samples.shape[1] == 2
    total = sum(path.stat().st_size for path in paths)
    print(
        f"{len(paths)} sounds decoded: {min(lengths):.2f} to {max(lengths):.2f} s, "
        f"peaks {min(peaks):.2f} to {max(peaks):.2f}, {stereo} stereo, {total / 1e6:.2f} MB"
    )
    if total >= MAX_BYTES:
        raise SystemExit(f"make_demo: {total} bytes are over {MAX_BYTES}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=Path(__file__).resolve().parents[1] / "assets/demo", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    paths = render(arguments.out, arguments.seed)
    (arguments.out / "LICENSE.txt").write_text(LICENSE, encoding="utf-8")
    check(paths)


if __name__ == "__main__":
    main()
