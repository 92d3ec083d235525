"""Which environment variables a child process gets that handles files, runs models or trains.

Such a process reads what others made. It gets what Python, the libraries and the machine need, and
a secret only where the job itself uses it; everything else stays with the server. An operator names
more in TUNELOOP_PASS_ENVIRONMENT, separated by commas. Settings are read in engine/workspace.py.
"""

from collections.abc import Iterable, Mapping

MORE = "TUNELOOP_PASS_ENVIRONMENT"
NAMES = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP",
        "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "CONDA_PREFIX", "SYSTEMROOT", "HOSTNAME",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
        "TOKENIZERS_PARALLELISM", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
        "http_proxy", "https_proxy", "no_proxy", "all_proxy", "DISABLE_MULTIPROC",
    }
)  # fmt: skip
PREFIXES = (
    "LC_", "PYTHON", "XDG_", "CUDA", "NVIDIA_", "HIP_", "ROCR_", "HSA_", "NCCL_", "OMP_", "GOMP_",
    "KMP_", "MKL_", "OPENBLAS_", "ARROW_", "MALLOC_", "NUMEXPR_", "TORCH", "PYTORCH_", "TRITON_",
    "BNB_", "ACCELERATE_", "HF_", "TRANSFORMERS_", "PEFT_", "TRL_", "TUNELOOP_", "COVERAGE_",
)  # fmt: skip
SECRET = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "_KEY", "COOKIE")
NO_SECRET = frozenset({"TOKENIZERS_PARALLELISM", "HF_TOKEN_PATH"})
# of these, what a process needs that only handles files: no address, no data folder, no cache
OF_FILES = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT"})
PREFIXES_OF_FILES = ("LC_", "PYTHON", "CUDA", "OMP_", "COVERAGE_")
# variables, by their beginning, of what a job may use, secrets among them
OF_TRACKER: dict[str, tuple[str, ...]] = {
    "wandb": ("WANDB_",),
    "mlflow": ("MLFLOW_",),
    "trackio": ("TRACKIO_", "HF_TOKEN"),
}
OF_KIND: dict[str, tuple[str, ...]] = {
    "judge": ("TUNELOOP_JUDGE_",),
    "download": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
    "export to hub": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
}


def passed_on(
    environment: Mapping[str, str], kind: str = "", trackers: Iterable[str] = ()
) -> dict[str, str]:
    """The part of `environment` for a process that runs a job of this kind with these trackers."""
    wanted = OF_KIND.get(kind, ())
    for tracker in trackers:
        wanted += OF_TRACKER.get(tracker, ())
    named = {name.strip() for name in environment.get(MORE, "").split(",")}
    return {
        name: value
        for name, value in environment.items()
        if name in named or name.startswith(wanted) or _harmless(name)
    }


def for_files(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of `environment` for a process that reads, checks or converts what others made."""
    return {
        name: value
        for name, value in environment.items()
        if (name in OF_FILES or name.startswith(PREFIXES_OF_FILES)) and _harmless(name)
    }


def _harmless(name: str) -> bool:
    known = name in NAMES or name.startswith(PREFIXES)
    return known and (name in NO_SECRET or not any(part in name.upper() for part in SECRET))
