"""In a real Chromium: plotly's map on our style, by address, with nothing asked of the outside."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import plotly
import pytest
from playwright.sync_api import ConsoleMessage, Page

from layers.basemap import BELOW_DATA, BELOW_LABELS, map_style
from layers.boundaries import boundary_lines
from layers.choropleth import choropleth
from layers.colours import MOODS, tokens
from layers.ground import ground
from layers.oklch import hex_to_rgb
from layers.to_geojson import frame_to_geojson, shapes_to_geojson
from layers.to_plotly import PLOT_CONFIG, notebook_html, to_plotly

pytestmark = pytest.mark.browser

MARGIN = "<style>body { margin: 0 }</style>"
SIZE = {"width": 900, "height": 600}
MAP = "document.getElementById('map')._fullLayout.map._subplot.map"


def complaints(message: ConsoleMessage) -> list[str]:
    """What the console complains of; taking a screenshot makes the software renderer mutter."""
    muttering = "GL Driver Message" in message.text
    return [message.text] if message.type in ("error", "warning") and not muttering else []


@pytest.fixture
def watched(browser):
    """A page, and all that went wrong on it or left the machine."""
    page = browser.new_page(viewport=SIZE)
    troubles: list[str] = []
    page.on("console", lambda message: troubles.extend(complaints(message)))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(f"failed {request.url}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("http://127.0.0.1:", "blob:", "data:"))
            else troubles.append(f"outside {request.url}")
        ),
    )
    yield page, troubles
    page.close()


def site(serve, city, mood: str, zoom: float | None = None) -> str:
    """Serve the city's style, sources and one page with its figure; the address of the page."""
    pages: dict[str, tuple[str, bytes]] = {}
    host = serve(pages)
    lines = boundary_lines(city.divisions, city.grids)
    lines["level"] = lines.index
    layer = choropleth(city.grids, city.households(), title="户数", unit="户", mood=mood)
    figure = to_plotly(
        [layer],
        style=f"{host}/map/style.json",
        mood=mood,
        geojson_urls={"grids": f"{host}/data/grids.geojson"},
        size_px=(SIZE["width"], SIZE["height"]),
        zoom=zoom,
    )
    geojson = "application/geo+json"
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    body = (
        '<!doctype html><html lang="zh"><meta charset="utf-8"><link rel="icon" href="data:,">'
        '<body style="margin:0"><div id="map" style="width:900px;height:600px"></div>'
        '<script src="/plotly.js"></script><script>'
        f"const figure = {figure.to_json()}; const config = {json.dumps(PLOT_CONFIG)};"
        "const layout = JSON.stringify(figure.layout);"
        "Plotly.newPlot('map', figure.data, figure.layout, config)"
        ".then(() => { window.drawn = true })</script></html>"
    )
    pages |= {
        "/": ("text/html; charset=utf-8", body.encode()),
        "/plotly.js": ("text/javascript; charset=utf-8", script.read_bytes()),
        "/map/style.json": ("application/json", json.dumps(map_style(host, mood)).encode()),
        "/data/roads.geojson": (geojson, frame_to_geojson(city.roads)),
        "/data/areas.geojson": (geojson, frame_to_geojson(city.areas)),
        "/data/boundaries.geojson": (geojson, frame_to_geojson(lines, ["level"])),
        "/data/grids.geojson": (geojson, shapes_to_geojson(city.grids)),
    }
    return host


def open_map(page: Page, address: str) -> None:
    page.goto(address + "/")
    page.wait_for_function("window.drawn === true")
    page.wait_for_function(f"{MAP}.loaded() && {MAP}.areTilesLoaded()")


COUNT_COLOURS = """async (picture) => {
    const image = new Image();
    image.src = 'data:image/png;base64,' + picture;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const data = context.getImageData(0, 0, image.width, image.height).data;
    const found = new Map();
    for (let i = 0; i < data.length; i += 4) {
        const key = (data[i] << 16) + (data[i + 1] << 8) + data[i + 2];
        found.set(key, (found.get(key) || 0) + 1);
    }
    return [...found];
}"""


def colours_of(page: Page) -> dict[tuple[int, ...], int]:
    """Pixels of the screenshot by colour."""
    picture = base64.b64encode(page.screenshot()).decode()
    found = page.evaluate(COUNT_COLOURS, picture)
    return {(key >> 16, key >> 8 & 255, key & 255): count for key, count in found}


@pytest.mark.parametrize("mood", MOODS)
def test_the_map_draws_without_an_error_or_a_request_to_the_outside(
    watched, serve, wavy_city, mood
):
    page, troubles = watched
    open_map(page, site(serve, wavy_city, mood))
    seen = colours_of(page)
    assert seen[hex_to_rgb(tokens(mood).land)] > 20_000
    # Six classes and hatching over the ground: many plain colours with thousands of pixels each.
    assert sum(n > 2000 for n in seen.values()) >= 7
    assert troubles == []


def test_fills_lie_over_roads_and_under_boundaries_and_names(watched, serve, wavy_city):
    page, troubles = watched
    open_map(page, site(serve, wavy_city, "night"))
    order = page.evaluate(
        "document.getElementById('map')._fullLayout.map._subplot.getMapLayers().map(l => l.id)"
    )
    fills = [n for n, name in enumerate(order) if name.startswith("plotly-trace")]
    assert order.index("road-arterial") < min(fills)
    assert max(fills) < order.index(BELOW_DATA) < order.index("boundary-grid")
    assert order.index(BELOW_LABELS) < order.index("name-road")
    assert troubles == []


def test_street_names_are_drawn_from_system_fonts(watched, serve, wavy_city):
    page, troubles = watched
    open_map(page, site(serve, wavy_city, "night", zoom=14.5))
    names = page.evaluate(
        f"{MAP}.queryRenderedFeatures({{layers: ['name-road']}}).map(f => f.properties.name)"
    )
    assert any(name.startswith("经") for name in names)
    assert troubles == []


def test_an_update_of_the_figure_sets_no_new_style_and_keeps_the_view(watched, serve, wavy_city):
    page, troubles = watched
    open_map(page, site(serve, wavy_city, "night"))
    page.evaluate(
        f"""() => {{
            const map = {MAP}, setStyle = map.setStyle.bind(map);
            window.calls = 0; window.rested = false;
            map.setStyle = (...all) => {{ window.calls += 1; return setStyle(...all) }};
            map.once('moveend', () => map.once('idle', () => {{ window.rested = true }}));
        }}"""
    )
    page.mouse.move(450, 300)
    page.mouse.wheel(0, -300)
    page.wait_for_function("window.rested")
    first, before, after, calls = page.evaluate(
        f"""async () => {{
            const map = {MAP}, before = map.getZoom();
            const z = Array(figure.data[0].locations.length).fill(2);
            const data = figure.data.map((trace, i) => i ? trace : {{...trace, z}});
            await Plotly.react('map', data, JSON.parse(layout), config);
            return [JSON.parse(layout).map.zoom, before, map.getZoom(), window.calls];
        }}"""
    )
    assert before > first + 0.2
    assert after == pytest.approx(before)
    assert calls == 0
    assert troubles == []


def test_hatching_can_also_be_a_pattern_of_the_map_itself(watched, serve, wavy_city):
    """The way for pages that draw on the map by script: an image, then `fill-pattern`."""
    page, troubles = watched
    open_map(page, site(serve, wavy_city, "night"))
    page.evaluate(
        f"""() => {{
            const map = {MAP}, size = 8, data = new Uint8Array(size * size * 4);
            for (let i = 0; i < size; i++) data.set([255, 0, 0, 255], 4 * (i * size + 7 - i));
            map.addImage('hatch', {{width: size, height: size, data}});
            map.addSource('own', {{type: 'geojson', data: '/data/grids.geojson'}});
            map.addLayer({{id: 'own-hatch', type: 'fill', source: 'own',
                           paint: {{'fill-pattern': 'hatch'}}}}, '{BELOW_DATA}');
        }}"""
    )
    page.wait_for_function(f"{MAP}.isSourceLoaded('own') && {MAP}.loaded()")
    red = sum(n for (r, g, b), n in colours_of(page).items() if r > 150 and g < 90 and b < 90)
    assert red > 2000
    assert troubles == []


def test_a_notebook_shows_the_same_map_without_a_style_from_a_server(watched, serve, wavy_city):
    page, troubles = watched
    layer = choropleth(wavy_city.grids, wavy_city.households(), title="户数", unit="户")
    figure = to_plotly([*ground(wavy_city.roads, wavy_city.areas), layer], size_px=(900, 600))
    body = f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">{MARGIN}'
    body += notebook_html(figure, height_px=600)
    page.goto(serve({"/": ("text/html; charset=utf-8", body.encode())}) + "/")
    chart = "document.querySelector('.js-plotly-plot')"
    page.wait_for_function(f"{chart}?._fullLayout?.map?._subplot?.map?.loaded()")
    seen = colours_of(page)
    assert sum(n > 2000 for n in seen.values()) >= 7
    assert troubles == []
