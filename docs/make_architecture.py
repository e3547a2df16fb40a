"""Draw docs/architecture.svg: the layers in pyproject.toml, the rooms, and who imports whom.

python docs/make_architecture.py            # a contract test fails while the picture and the code differ
python docs/make_architecture.py --print    # the same graph as text, with every count
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

HERE = Path(__file__).resolve().parent
PICTURE = HERE / "architecture.svg"
PACKAGE = "autoclave"

Arrow = tuple[str, str]


@dataclass(frozen=True)
class Architecture:
    """The rooms (names at the top of the package) and the imports between them.

    `layers` go from the top down; `arrows` count the pairs of modules behind each pair of rooms, without
    the `feet`: imports that pyproject.toml excepts. `imports` are those of single modules, feet left out.
    """

    layers: tuple[tuple[str, ...], ...]
    arrows: dict[Arrow, int]
    feet: tuple[Arrow, ...]
    imports: dict[str, set[str]]

    @property
    def rooms(self) -> list[str]:
        """All rooms, from the top layer down."""
        return [room for layer in self.layers for room in layer]

    def imports_of(self, room: str) -> list[str]:
        """Return the rooms that a room imports."""
        return sorted(target for source, target in self.arrows if source == room)

    def importers_of(self, room: str) -> list[str]:
        """Return the rooms that import a room."""
        return sorted(source for source, target in self.arrows if target == room)

    def wrong(self) -> list[Arrow]:
        """Return the arrows that go up, or to another room of the same layer."""
        level = {room: at for at, layer in enumerate(self.layers) for room in layer}
        return sorted(arrow for arrow in self.arrows if level[arrow[0]] >= level[arrow[1]])


def architecture() -> Architecture:
    """Read the layers out of pyproject.toml and the imports out of the code, as `lint-imports` does."""
    settings = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    contract = next(each for each in settings["contracts"] if each["type"] == "layers")
    imports = _imports(type_checking=not settings["exclude_type_checking_imports"])
    excepted = [line.split(" -> ") for line in contract["ignore_imports"]]
    for source, target in excepted:
        imports[source].remove(target)
    return Architecture(
        layers=tuple(tuple(_room(name) for name in line.split(" | ")) for line in contract["layers"]),
        arrows=_between_rooms(imports),
        feet=tuple((_room(source), _room(target)) for source, target in excepted),
        imports=imports,
    )


def _imports(*, type_checking: bool) -> dict[str, set[str]]:
    graph = grimp.build_graph(PACKAGE, exclude_type_checking_imports=not type_checking, cache_dir=None)
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def _between_rooms(imports: dict[str, set[str]]) -> dict[Arrow, int]:
    """Count the imports between rooms. The package itself is no room: it holds its version, and no more."""
    found = Counter(
        (_room(source), _room(target))
        for source, targets in imports.items()
        for target in targets
        if PACKAGE not in {source, target}
    )
    return {arrow: count for arrow, count in sorted(found.items()) if arrow[0] != arrow[1]}


def _room(module: str) -> str:
    return module.split(".")[1]


def cycle(arrows: dict[str, set[str]]) -> list[str]:
    """Return the names along one cycle of imports; empty without one."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


# The graph as text.


def text(found: Architecture) -> str:
    """Return everything that the picture shows, and the counts that it leaves out."""
    sizes = Counter(_room(module) for module in found.imports if module != PACKAGE)
    packages = sum((HERE.parent / "steps" / PACKAGE / room).is_dir() for room in found.rooms)
    between = {room: set(found.imports_of(room)) for room in found.rooms}
    lines = [
        f"{len(found.rooms)} rooms at the top of {PACKAGE}: {packages} packages and "
        f"{len(found.rooms) - packages} modules; {len(found.imports)} modules in all",
        "",
        "layers, from the top; rooms of one layer do not import each other; in brackets: modules",
        *(
            f"  {number:2}  {'  '.join(f'{room} ({sizes[room]})' for room in layer)}"
            for number, layer in enumerate(found.layers)
        ),
        "",
        f"arrows between rooms: {len(found.arrows)}, for {sum(found.arrows.values())} imports between modules",
        *(_line(room, found) for room in found.rooms),
        "",
        f"cycles between rooms: {_join_names(cycle(between))}",
        f"cycles between modules: {_join_names(cycle(found.imports))}",
        f"arrows up or sideways: {_list_arrows(found.wrong())}",
        f"feet of steps that run as scripts, which may point up: {_list_arrows(list(found.feet))}",
    ]
    return "\n".join(lines) + "\n"


def _line(room: str, found: Architecture) -> str:
    targets = found.imports_of(room)
    counts = ", ".join(f"{target} {found.arrows[room, target]}" for target in targets)
    return f"  {room} -> {counts or 'nothing'}   [{_counts(room, found)}]"


def _counts(room: str, found: Architecture) -> str:
    return f"imports {len(found.imports_of(room))}, used by {len(found.importers_of(room))}"


def _join_names(along: list[str]) -> str:
    return " -> ".join(along) or "none"


def _list_arrows(arrows: list[Arrow]) -> str:
    return ", ".join(f"{source} -> {target}" for source, target in arrows) or "none"


# The graph as a picture.

_WIDTH, _TOP, _ROW, _LEFT = 1000, 64, 86, 40
_BOX, _HEIGHT, _GAP = 166, 46, 22
_STYLE = """\
text { font-family: system-ui, sans-serif; fill: #1d2b3a; text-anchor: middle }
.title { font-size: 19px; font-weight: 600; text-anchor: start }
.said { font-size: 13px; fill: #4a5968; text-anchor: start }
.number { font-size: 15px; fill: #6b7a89 }
.room { font-size: 16px; font-weight: 600 }
.count { font-size: 12.5px; fill: #4a5968 }
.box { fill: #ffffff; stroke: #3d5a80; stroke-width: 1.3 }
.band { fill: #f1f4f8 }
path { fill: none }
.few { stroke: #c3cedb; stroke-width: 1 }
.some { stroke: #8fa6c1; stroke-width: 1.8 }
.many { stroke: #3d5a80; stroke-width: 3.2 }
.foot { stroke: #c2571a; stroke-width: 1.4; stroke-dasharray: 5 4 }
"""
_SAID = {"few": "1 to 4 imports", "some": "5 to 9", "many": "10 or more", "foot": "foot of a script"}


def svg(found: Architecture) -> str:
    """Return the picture. It changes when rooms or their arrows do, and not with every single import."""
    places = _places(found)
    height = _TOP + _ROW * len(found.layers) + 44
    everywhere = _everywhere(found)
    drawn = {arrow: count for arrow, count in found.arrows.items() if arrow[1] not in everywhere}
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img" aria-labelledby="title">',
            '<title id="title">The rooms of Autoclave in their layers, and who imports whom</title>',
            f"<style>\n{_STYLE}</style>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text class="title" x="24" y="30">{len(found.rooms)} rooms, {len(found.arrows)} arrows between '
            f"them: all go down, but for {len(found.feet)} feet of scripts</text>",
            f'<text class="said" x="24" y="51">Not drawn: arrows to {_enumerate(everywhere)}, '
            "which more than half of the rooms import.</text>",
            *_bands(found),
            *_lines(drawn, places),
            *(_foot(places[source], places[target]) for source, target in found.feet),
            *(_box(room, places[room], found) for room in found.rooms),
            *_legend(height - 20),
            "</svg>\n",
        ]
    )


def _places(found: Architecture) -> dict[str, tuple[int, int]]:
    """Return the upper left corner of each room's box."""
    places = {}
    for number, layer in enumerate(found.layers):
        start = (_LEFT + _WIDTH - len(layer) * (_BOX + _GAP) + _GAP) // 2
        for at, room in enumerate(layer):
            places[room] = start + at * (_BOX + _GAP), _TOP + _ROW * number + (_ROW - _HEIGHT) // 2
    return places


def _everywhere(found: Architecture) -> list[str]:
    """Return the rooms that more than half of the rooms import: their arrows would hide all others."""
    return [room for room in found.rooms if 2 * len(found.importers_of(room)) > len(found.rooms)]


def _enumerate(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1] if names else "no room"]))


def _bands(found: Architecture) -> list[str]:
    """Draw each layer's number, and every other layer on a tinted band."""
    drawn = []
    for number in range(len(found.layers)):
        top = _TOP + _ROW * number
        if number % 2 == 0:
            drawn.append(f'<rect class="band" y="{top}" width="{_WIDTH}" height="{_ROW}"/>')
        drawn.append(f'<text class="number" x="24" y="{top + _ROW // 2 + 5}">{number}</text>')
    return drawn


def _lines(arrows: dict[Arrow, int], places: dict[str, tuple[int, int]]) -> list[str]:
    """Draw the arrows, the strong ones last; they leave and reach a box side by side."""
    from_left = sorted(places, key=places.__getitem__)  # so that few lines cross
    out = {room: [other for other in from_left if (room, other) in arrows] for room in places}
    into = {room: [other for other in from_left if (other, room) in arrows] for room in places}
    drawn = []
    for (source, target), count in sorted(arrows.items(), key=_weakest_first):
        x1 = _spread(places[source][0], target, out[source])
        x2 = _spread(places[target][0], source, into[target])
        drawn.append(_curve(_strength(count), (x1, places[source][1] + _HEIGHT), (x2, places[target][1])))
    return drawn


def _spread(left: int, room: str, among: list[str]) -> int:
    return left + round(_BOX * (among.index(room) + 1) / (len(among) + 1))


def _weakest_first(each: tuple[Arrow, int]) -> tuple[int, Arrow]:
    """By the class of the count and not by the count, so that the picture stays the same within a class."""
    return list(_SAID).index(_strength(each[1])), each[0]


def _strength(count: int) -> str:
    if count < 5:
        return "few"
    return "some" if count < 10 else "many"


def _foot(source: tuple[int, int], target: tuple[int, int]) -> str:
    x1, x2 = source[0] + _BOX // 2, target[0] + _BOX // 2
    return _curve("foot", (x1, source[1]), (x2, target[1] + _HEIGHT))


def _curve(kind: str, start: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = start, end
    bend = round((y2 - y1) * 0.45)
    return f'<path class="{kind}" d="M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}"/>'


def _box(room: str, place: tuple[int, int], found: Architecture) -> str:
    (x, y), middle = place, place[0] + _BOX // 2
    return (
        f'<rect class="box" x="{x}" y="{y}" width="{_BOX}" height="{_HEIGHT}" rx="5"/>'
        f'<text class="room" x="{middle}" y="{y + 20}">{room}</text>'
        f'<text class="count" x="{middle}" y="{y + 37}">{_counts(room, found)}</text>'
    )


def _legend(y: int) -> list[str]:
    drawn = []
    for at, (kind, said) in enumerate(_SAID.items()):
        x = 24 + at * 185
        drawn.append(f'<path class="{kind}" d="M{x} {y - 4}h34"/>')
        drawn.append(f'<text class="said" x="{x + 42}" y="{y}">{said}</text>')
    return drawn


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        print(text(architecture()), end="")
    else:
        PICTURE.write_text(svg(architecture()), "utf-8")
