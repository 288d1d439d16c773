"""What a server leaves behind, searched for what it must not."""

from pathlib import Path


def require_nothing_left(folder: Path, metrics: str, secrets: set[str]) -> None:
    """No secret is in a metric, in a file or in the name of one; and no temporary file is left."""
    left = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert folder / "log" in left
    for secret in secrets:
        assert secret not in metrics
        assert not [path for path, content in left.items() if secret in str(path) or secret.encode() in content], secret
    assert not list((folder / "tmp").iterdir())
