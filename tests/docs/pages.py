"""The pages that people read."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for path in ROOT.rglob("*.md")
    if not {".venv", ".run", "build", "node_modules"} & set(path.relative_to(ROOT).parts)
)
"""Every Markdown file of the checkout, from its root."""
