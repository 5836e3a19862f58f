"""Makes assets/fonts: Inter with figures of one width, and the few icons that the window uses.

Usage: make_fonts.py FOLDER_OF_INTER PHOSPHOR.ttf, where the first holds Inter-Regular.otf and Inter-SemiBold.otf (Debian's
package fonts-inter has them) and the second comes from the npm package @phosphor-icons/web. Needs fonttools.
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

OUT = Path(__file__).parent.parent / "assets" / "fonts"
# Latin, Greek, Cyrillic, Vietnamese, punctuation, currency, arrows, keys.
RANGES = ["20-7E", "A0-24F", "2B0-2FF", "300-36F", "370-3FF", "400-52F", "1E00-1EFF", "2010-205F", "20A0-20BF", "2100-214F",
          "2190-21FF", "2200-22FF", "2318", "2325", "23CE", "25A0-25FF"]
ICONS = ["play", "stop", "repeat", "plus", "minus", "x", "folder-simple", "magnifying-glass", "arrow-left", "arrow-right", "pause",
         "speaker-high", "warning", "caret-up", "caret-down", "caret-right", "corners-out", "equalizer", "hand-pointing",
         "question", "sun", "moon", "graph", "copy", "trash", "record", "circle", "gear-six"]


def characters(ranges):
    for part in ranges:
        ends = [int(end, 16) for end in part.split("-")]
        yield from range(ends[0], ends[-1] + 1)


def keep(font, points, layout):
    options = subset.Options(layout_features=layout, name_IDs=[0, 1, 2, 4, 6, 13, 14], notdef_outline=True, hinting=False)
    job = subset.Subsetter(options)
    job.populate(unicodes=points)
    job.subset(font)


def inter(source):
    font = TTFont(source)
    # egui applies no OpenType features, so the figures of one width take the places of the usual ones.
    features = font["GSUB"].table
    record = next(r for r in features.FeatureList.FeatureRecord if r.FeatureTag == "tnum")
    wide = {}
    for index in record.Feature.LookupListIndex:
        for table in features.LookupList.Lookup[index].SubTable:
            wide |= getattr(table, "ExtSubTable", table).mapping
    for table in font["cmap"].tables:
        for point in range(ord("0"), ord("9") + 1):
            table.cmap[point] = wide.get(table.cmap.get(point), table.cmap.get(point))
    keep(font, characters(RANGES), ["kern"])
    return font


def icons(source):
    css = (Path(source).parent / "style.css").read_text()
    points = {}
    for name in ICONS:
        after = css.split(f".ph.ph-{name}:before {{", 1)[1]
        points[name] = int(after.split('"\\', 1)[1].split('"', 1)[0], 16)
    font = TTFont(source)
    keep(font, points.values(), [])
    for name, point in points.items():
        print(f"{name:20} U+{point:04X}")
    return font


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name in ["Inter-Regular.otf", "Inter-SemiBold.otf"]:
        inter(Path(sys.argv[1]) / name).save(OUT / name)
    icons(sys.argv[2]).save(OUT / "Icons.ttf")


if __name__ == "__main__":
    main()
