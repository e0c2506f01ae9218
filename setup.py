"""What a release says of its repository: README with absolute links, and addresses; all else is in pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).resolve().parent


def absolute_links(text: str, repository: str) -> str:
    """Make the relative links and images of a Markdown text absolute.

    Parameters
    ----------
    text : str
        Markdown of a file at the root of the repository.
    repository : str
        Address of the repository, without a slash at its end; an empty one leaves the text as it is.

    Returns
    -------
    text : str
        Images at ``REPOSITORY/raw/main``, other files at ``REPOSITORY/blob/main``.
    """
    if not repository:
        return text

    def absolute(found: re.Match[str]) -> str:
        image, label, target = found.groups()
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        return f"{image}[{label}]({repository}/{'raw' if image else 'blob'}/main/{target})"

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", absolute, text)


def addresses(repository: str) -> dict[str, str]:
    """Return the addresses of the project by name; none where the repository has none."""
    if not repository:
        return {}
    return {
        "Homepage": repository,
        "Documentation": f"{repository}/tree/main/docs",
        "Issues": f"{repository}/issues",
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
        "Source": repository,
    }


if __name__ == "__main__":
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    where = settings["tool"]["slipcast"]["repository"].rstrip("/")
    setup(
        long_description=absolute_links((ROOT / "README.md").read_text(encoding="utf-8"), where),
        long_description_content_type="text/markdown",
        project_urls=addresses(where),
    )
