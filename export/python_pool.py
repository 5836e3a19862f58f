#!/usr/bin/env python3
"""Times a straightforward Python pipeline on the same files and model: the speed to beat.

One process a core (spawned), each with its own one-thread ONNX Runtime session: soundfile ->
mean of channels -> soxr HQ -> librosa STFT -> mel -> log -> blocks -> network -> pool. BLAS is held
to one thread, since the processes already fill the cores.

Prints one JSON line: files (decoded), failed, silent, seconds (wall; without starting processes,
importing and loading the model), files_per_second, ort_seconds (summed over processes), windows,
cores. `--ort-only` first puts every window's input into memory and times the sessions alone. Sounds
shorter than a window are repeated to a whole one; with `--once` a network that repeats them itself
(`window.network_repeats`) is given their rows alone.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from math import ceil
from pathlib import Path

# Read by the spawned processes when they load BLAS and OpenMP.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
CHUNK = 8  # files handed to a process at a time


class Pipeline:
    """What one process keeps: manifest, filter bank, window and session."""

    def __init__(self, manifest_path, once=False):
        import librosa
        import numpy as np
        import soundfile
        import soxr

        import frontend
        from manifest import load_manifest, model_path, open_session

        self.np, self.librosa, self.soundfile, self.soxr, self.frontend = np, librosa, soundfile, soxr, frontend
        self.manifest = load_manifest(manifest_path)
        self.once = once and self.manifest["window"].get("network_repeats", False)
        self.session = open_session(model_path(self.manifest))
        self.input = self.session.get_inputs()[0].name
        if self.manifest["input"]["kind"] == "log_mel":
            self.prepare_mel()

    def prepare_mel(self):
        """Builds the filter bank and window once, in f32."""
        stft, rate = self.manifest["stft"], self.manifest["audio"]["sample_rate"]
        if stft["win_length"] != stft["n_fft"]:
            raise SystemExit("python_pool: a window shorter than the transform is not supported")
        bank = self.frontend.mel_matrix(rate, stft["n_fft"], self.manifest["mel"])
        self.bank = bank.astype(self.np.float32)
        self.window = self.frontend.hann(stft["window"], stft["win_length"]).astype(self.np.float32)

    def warm_up(self):
        """Runs everything once on noise, so that nothing is compiled or first touched while timing."""
        audio = self.manifest["audio"]
        noise = self.np.random.default_rng(0).standard_normal(audio["sample_rate"] // 2).astype(self.np.float32)
        self.soxr.resample(noise, 48000, 44100, "HQ")
        self.run(self.inputs(noise))

    def decode(self, path):
        """Returns conditioned mono audio at the model's rate, or None for silence."""
        audio, np = self.manifest["audio"], self.np
        with self.soundfile.SoundFile(path) as file:
            rate = file.samplerate
            samples = file.read(-1, dtype="float32", always_2d=True)
        samples = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
        samples = self.frontend.excerpt(samples, rate, audio["max_seconds"])
        if rate != audio["sample_rate"] and len(samples):
            samples = self.soxr.resample(samples, rate, audio["sample_rate"], "HQ")
        if audio.get("clip"):
            samples = np.clip(samples, -audio["clip"], audio["clip"])
        peak = float(np.abs(samples).max(initial=0.0))
        if peak < self.frontend.SILENCE_PEAK:
            return None
        return samples / np.float32(peak) if audio["peak_normalize"] else samples

    def log_mel(self, samples):
        """Returns the normalised log-mel `[frames, bands]`, in f32 throughout."""
        stft, log, norm, np = self.manifest["stft"], self.manifest["log"], self.manifest["norm"], self.np
        size, hop, framing = stft["n_fft"], stft["hop"], stft["framing"]
        settings = {"center": framing != "none", "pad_mode": "reflect" if framing == "centered_reflect" else "constant"}
        if framing == "centered_zero_until_end":
            count = ceil((len(samples) + size // 2) / hop)
            after = max(0, (count - 1) * hop + size - size // 2 - len(samples))
            samples, settings = np.pad(samples, (size // 2, after)), {"center": False}
        spectrum = self.librosa.stft(samples, n_fft=size, hop_length=hop, window=self.window, **settings)
        values = spectrum.real**2 + spectrum.imag**2
        if stft["spectrum"] == "magnitude":
            values = np.sqrt(values)
        values = np.float32(log["scale"]) * (self.bank @ values) + np.float32(log["offset"])
        if log.get("floor") is not None:
            values = np.maximum(values, np.float32(log["floor"]))
        values = (np.log10(values) if log["base"] == 10 else np.log(values)) * np.float32(log["mult"])
        return np.ascontiguousarray(((values - np.float32(norm["mean"])) / np.float32(norm["std"])).T)

    def inputs(self, samples):
        """Returns the network's input for all windows of one sound."""
        window = self.manifest["window"]
        pieces = self.frontend.audio_windows(samples, window)
        if self.manifest["input"]["kind"] == "waveform":
            return self.np.stack(pieces)
        rows = [self.log_mel(piece) for piece in pieces]
        if self.once and len(rows[0]) < window["frames"]:
            batch = rows[0][None]
        else:
            batch = self.np.concatenate([self.frontend.blocks(each, window) for each in rows])
        return batch[:, None] if self.manifest["input"]["layout"] == "NCTF" else batch

    def run(self, batch):
        """Returns (embeddings `[windows, dim]`, seconds in the session)."""
        start = time.perf_counter()
        embeddings = self.session.run(None, {self.input: batch})[0]
        return embeddings, time.perf_counter() - start


PIPELINE = None


def start_process(manifest_path, once, ready):
    """Loads everything in a new process, then waits until all others have too."""
    global PIPELINE
    PIPELINE = Pipeline(manifest_path, once)
    PIPELINE.warm_up()
    ready.wait()


def prepare_path(path):
    """Returns (status, the network's input or None); one bad file never stops the run."""
    try:
        samples = PIPELINE.decode(path)
    except (RuntimeError, OSError, ValueError):
        return "failed", None
    return ("silent", None) if samples is None else ("embedded", PIPELINE.inputs(samples))


def embed_path(path):
    """Embeds one file; returns (path, status, vector, windows, seconds in the session)."""
    status, batch = prepare_path(path)
    if batch is None:
        return path, status, None, 0, 0.0
    embeddings, seconds = PIPELINE.run(batch)
    vector = PIPELINE.frontend.pool(embeddings, PIPELINE.manifest["output"])
    return path, status, vector, len(batch), seconds


def run_share(index, cores, manifest_path, windows_path, ready, results):
    """Runs every `cores`-th window, held in memory, from the moment all processes are ready."""
    import numpy as np

    pipeline = Pipeline(manifest_path)
    share = np.ascontiguousarray(np.load(windows_path, mmap_mode="r")[index::cores])
    pipeline.warm_up()
    ready.wait()
    seconds = sum(pipeline.run(share[i : i + 1])[1] for i in range(len(share)))
    results.put((len(share), seconds))


def collect_paths(arguments):
    """Expands folders and list files (one path a line) into paths of files."""
    import frontend

    paths = []
    for item in map(Path, arguments):
        if item.is_dir():
            paths += [str(path) for path in frontend.find_audio(item)]
        elif item.suffix.lower() in frontend.AUDIO_SUFFIXES:
            paths.append(str(item))
        else:
            paths += [line for line in item.read_text(encoding="utf-8").splitlines() if line.strip()]
    return paths


def open_pool(context, cores, manifest_path, once=False):
    """Starts the pool and returns it once every process has loaded."""
    ready = context.Barrier(cores + 1)
    pool = context.Pool(cores, start_process, (manifest_path, once, ready))
    ready.wait()
    return pool


def summary(cores, statuses, seconds, ort_seconds, windows):
    """Returns the figures of one run as the JSON object that is printed."""
    decoded = sum(status != "failed" for status in statuses)
    return {
        "files": decoded,
        "failed": len(statuses) - decoded,
        "silent": statuses.count("silent"),
        "seconds": round(seconds, 4),
        "files_per_second": round(decoded / seconds, 2),
        "ort_seconds": round(ort_seconds, 4),
        "windows": windows,
        "cores": cores,
    }


def time_everything(context, arguments, paths):
    """Times the whole pipeline; optionally saves the vectors afterwards."""
    cores, vectors_path = arguments.cores, arguments.vectors
    with open_pool(context, cores, arguments.model, arguments.once) as pool:
        start = time.perf_counter()
        results = list(pool.imap_unordered(embed_path, paths, CHUNK))
        seconds = time.perf_counter() - start
    if vectors_path:
        import numpy as np

        kept = sorted(((r[0], r[2]) for r in results if r[2] is not None), key=lambda pair: pair[0])
        np.savez(vectors_path, paths=np.array([k[0] for k in kept]), vectors=np.array([k[1] for k in kept]))
    statuses = [result[1] for result in results]
    return summary(cores, statuses, seconds, sum(r[4] for r in results), sum(r[3] for r in results))


def time_sessions(context, cores, manifest_path, paths):
    """Times the sessions alone on windows that are already in memory."""
    import numpy as np

    with open_pool(context, cores, manifest_path) as pool:
        prepared = pool.map(prepare_path, paths, CHUNK)
    windows = np.concatenate([batch for _, batch in prepared if batch is not None])
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "windows.npy")
        np.save(path, windows)
        ready, results = context.Barrier(cores + 1), context.Queue()
        shares = [(index, cores, manifest_path, path, ready, results) for index in range(cores)]
        processes = [context.Process(target=run_share, args=share) for share in shares]
        for process in processes:
            process.start()
        ready.wait()
        start = time.perf_counter()
        done = [results.get() for _ in processes]
        seconds = time.perf_counter() - start
        for process in processes:
            process.join()
    return summary(cores, [status for status, _ in prepared], seconds, sum(d[1] for d in done), len(windows))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", help="folders, audio files, or text files with one path a line")
    parser.add_argument("--model", required=True, help="manifest (JSON) of the model")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    parser.add_argument("--ort-only", action="store_true", help="time the sessions alone, on whole windows")
    parser.add_argument("--once", action="store_true", help="let a network that can repeat short sounds itself")
    parser.add_argument("--vectors", help="write paths and vectors to this .npz (not with --ort-only)")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    for name in ONE_THREAD:
        os.environ[name] = "1"
    context, paths = multiprocessing.get_context("spawn"), collect_paths(arguments.paths)
    if arguments.ort_only:
        figures = time_sessions(context, arguments.cores, arguments.model, paths)
    else:
        figures = time_everything(context, arguments, paths)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
