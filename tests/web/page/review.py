"""The review page as a person uses it."""

import base64
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

SECONDS = 60
_FILES = """(files) => {
  const transfer = new DataTransfer();
  for (const [name, data] of files) {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  return transfer;
}"""

Files = dict[str, bytes]
"""Contents by name."""


class Review:
    """The page at this address, open and usable, in a tab of its own."""

    def __init__(self, tab: Page, address: str) -> None:
        self.tab = tab
        self.tab.set_default_timeout(1000 * SECONDS)
        self.tab.goto(address)
        self.tab.wait_for_selector("body[data-ready]")

    def drop(self, files: Files) -> None:
        """Drop files on the page."""
        self.tab.dispatch_event("body", "drop", {"dataTransfer": self._transfer(files)})

    def paste(self, files: Files) -> None:
        """Paste files."""
        self.tab.evaluate(
            "(data) => document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))",
            self._transfer(files),
        )

    def _transfer(self, files: Files) -> object:
        encoded = [[name, base64.b64encode(content).decode()] for name, content in files.items()]
        return self.tab.evaluate_handle(_FILES, encoded)

    def wait_for_result(self) -> None:
        """Until the explanation of the image shown is drawn."""
        self.tab.wait_for_selector("#panes[data-state=done]")

    def find(self, selector: str) -> Locator:
        return self.tab.locator(selector)

    def button(self, name: str) -> Locator:
        return self.tab.get_by_role("button", name=name, exact=True)

    def cases(self) -> dict[str, str]:
        """What the list says of each image."""
        items = self.tab.locator("#cases li").all()
        return {item.locator(".name").inner_text(): item.locator(".state").inner_text() for item in items}

    def bars(self) -> dict[str, tuple[str, str]]:
        """Probability before and after of each class, as written."""
        rows = self.tab.locator("#bars tbody tr").all()
        return {
            row.locator("th").inner_text(): (
                row.locator("td.before").inner_text().strip(),
                row.locator("td.after").inner_text().strip(),
            )
            for row in rows
        }

    def expect_problem(self, title: str, detail: str = "") -> None:
        """Wait until the image shown has this problem."""
        expect(self.find("#problem h3")).to_have_text(title)
        expect(self.find("#problem")).to_contain_text(detail)


def named(folder: Path, *names: str) -> Files:
    """Files of a folder."""
    return {name: (folder / name).read_bytes() for name in names}
