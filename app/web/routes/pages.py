"""Pages for people: the review page at /, /docs, with everything they load, and one page for each kind of problem."""

import base64
from html import escape

from fastapi import APIRouter, HTTPException
from starlette.responses import FileResponse, HTMLResponse

from app.images.color_maps import SUGGESTED, color_map
from app.web.openapi import EXAMPLE_IMAGE, STATIC
from app.web.parts import PartsHere
from app.web.problems import KINDS, PATH

router = APIRouter(include_in_schema=False)


@router.get("/")
async def review() -> FileResponse:
    """Images in, explanations to look at; its scripts and styles are mounted at /page."""
    return FileResponse(STATIC / "page" / "index.html")


@router.get("/page/color-maps.json")
def color_maps() -> dict[str, dict[str, str]]:
    """Tables of the maps that the page offers, by kind and name: base64 of red, green and blue of each level."""
    return {
        kind: {name: base64.b64encode(color_map(name, kind).table.tobytes()).decode("ascii") for name in names}
        for kind, names in SUGGESTED.items()
    }


@router.get("/page/offers.json")
async def offers(parts: PartsHere) -> dict[str, bool]:
    """What only some installations have, for the page to show."""
    return {"archive": parts.archiving.is_offered}


@router.get("/docs")
async def docs() -> FileResponse:
    """The API, to read and to try."""
    return FileResponse(STATIC / "docs.html")


@router.get("/docs/docs.js")
async def docs_script() -> FileResponse:
    """Starts the page."""
    return FileResponse(STATIC / "docs.js")


@router.get("/docs/example.png")
async def docs_example() -> FileResponse:
    """An image to try."""
    return FileResponse(EXAMPLE_IMAGE)


@router.get(PATH + "{slug}")
async def problem(slug: str) -> HTMLResponse:
    """What a problem's `type` means."""
    if slug not in KINDS:
        raise HTTPException(404)
    kind = KINDS[slug]
    title, meaning = escape(kind.title), escape(kind.meaning)
    return HTMLResponse(
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<link rel="icon" href="data:,"></head><body><h1>{title}</h1><p>HTTP status {kind.status}.</p>'
        f"<p>{meaning}</p><p>The member <code>detail</code> of the answer says what was wrong with the very request,"
        f" and what would be right.</p></body></html>"
    )
