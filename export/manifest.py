"""Model manifests: the JSON sidecar that tells the app how to feed a model and what to make of its outputs.

Schema 2 adds `side_outputs`, pooled over windows as each says and not scaled, and a `head` made of groups: pooled
outputs by name, or the descriptors of `stage.py`, each with its scaling and its share.

The same JSON, without `sha256`, is stored in the ONNX file itself under
`metadata_props["audio_embedding_contract"]`; where both exist the sidecar wins.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

# Read when ONNX Runtime is imported, which would otherwise report to its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime as ort  # noqa: E402

SCHEMAS = (1, 2)
METADATA_KEY = "audio_embedding_contract"
TEMPLATES = Path(__file__).resolve().parent / "manifests"


def load_template(name):
    """Returns the manifest template `manifests/<name>.json` as a dict."""
    return json.loads((TEMPLATES / f"{name}.json").read_text(encoding="utf-8"))


def load_manifest(path):
    """Reads a sidecar and adds `_folder`, against which `file` and `post.file` are resolved."""
    path = Path(path)
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if manifest.get("schema") not in SCHEMAS:
        raise ValueError(f"manifest schema is not 1 or 2: {path}")
    manifest["_folder"] = str(path.resolve().parent)
    return manifest


def model_path(manifest):
    """Returns the path of the ONNX file a loaded manifest points to."""
    return Path(manifest["_folder"]) / manifest["file"]


def sha256_of(path):
    """Returns the SHA-256 of a file as lower-case hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def embed_manifest(model, manifest):
    """Stores the manifest, the licence and its attribution in an ONNX model's metadata."""
    del model.metadata_props[:]
    license_ = manifest["license"]
    entries = {
        METADATA_KEY: json.dumps(manifest, separators=(",", ":")),
        "license": license_["spdx"],
        "attribution": license_["attribution"],
        "source": manifest.get("source", ""),
    }
    for key, value in entries.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    model.doc_string = license_["attribution"]


def write_model(model, manifest, folder):
    """Writes the ONNX file and its sidecar, each under a temporary name first; returns the ONNX path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    embed_manifest(model, manifest)
    onnx.checker.check_model(model, full_check=True)
    path = folder / manifest["file"]
    replace_file(path, model.SerializeToString(deterministic=True))
    sidecar = dict(manifest, sha256=sha256_of(path))
    text = json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n"
    replace_file(path.with_suffix(".json"), text.encode("utf-8"))
    return path


def replace_file(path, content):
    """Replaces a file in one step, so that a reader never sees half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def open_session(model, threads=1):
    """Opens an ONNX Runtime session on the CPU; `model` is a path or serialised bytes.

    Spinning is off: idle worker threads must not take time from the other processes of a pool.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def load_post(manifest):
    """Returns the post-processing matrix `[rows, dim]` (row 0: mean, others: PCA), or None."""
    post = manifest["output"].get("post")
    if not post:
        return None
    values = np.fromfile(Path(manifest["_folder"]) / post["file"], dtype="<f4")
    return values.reshape(post["rows"], manifest["output"]["dim"])
