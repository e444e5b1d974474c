"""Checks that what CONTRIBUTING.md and SECURITY.md name in the sources is there: files, types and functions; and that every test
that may be skipped says why, since `make test` tells it.

In the journeys a token with a slash is a path below Sources (`Sup` is Supervisor); `Type.member` is a member of a type; a name
in lower case is declared in the file that was named last, or is a case of a message where a dot precedes it.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = {path: path.read_text() for path in sorted((ROOT / "Sources").rglob("*.swift"))}
DECLARED = r"\b(?:func|var|let|case|struct|class|enum|protocol|actor|typealias)\b[^\n]*?\b%s\b"


def declares(text, name):
    return re.search(DECLARED % re.escape(name), text) is not None


def files_of(kind):
    """The files that declare or extend a type, nested ones by their last name."""
    return [text for text in SOURCES.values()
            if re.search(r"\b(?:struct|class|enum|protocol|actor|extension)\s+(?:\w+\.)*%s\b" % re.escape(kind), text)]


def missing_in_journeys(section):
    current = None
    items = re.findall(r"^\d+\. .*?(?=^\d+\. |^\*\*|\Z)", section, re.M | re.S)
    if len(items) < 20:
        yield "fewer than 20 hops"
    for token in re.findall(r"`([^`]+)`", "\n".join(items)):
        path = re.sub(r"^Sup/", "Supervisor/", token)
        if token.endswith(".swift"):
            found = [p for p in SOURCES if str(p).endswith("/" + path)]
            if len(found) != 1:
                yield f"{token}: {len(found)} such files"
            current = found[0] if found else None
        elif "/" in token:
            if not (ROOT / "Sources" / path).is_dir():
                yield f"{token}: no such folder"
        elif re.fullmatch(r"\.[a-z]\w*", token):
            if not any(re.search(r"\bcase %s\b" % token[1:], text) for p, text in SOURCES.items() if "IPC" in p.parts):
                yield f"{token}: no such message"
        elif re.fullmatch(r"[A-Z]\w*(\.\w+)*", token):
            *kinds, last = token.split(".")
            texts = files_of(kinds[-1] if kinds else last)
            if not texts or (kinds and not any(declares(text, last) for text in texts)):
                yield f"{token}: not declared"
        elif re.fullmatch(r"[a-z]\w*", token):
            if current is None or not declares(SOURCES[current], token):
                yield f"{token}: not declared in {current and current.name}"


def missing_files(text):
    names = {path.name for folder in ("Sources", "Tests") for path in (ROOT / folder).rglob("*.swift")}
    for token in re.findall(r"`([\w/*.]+)`", text):
        if token.endswith(".swift") and "*" not in token and token.rpartition("/")[2] not in names:
            yield f"{token}: no such file"
        if token.startswith(("Sources/", "Tests/")) and not any(ROOT.glob(token.rstrip("/"))):
            yield f"{token}: not there"


def skipped_without_reason():
    for path in sorted((ROOT / "Tests").rglob("*.swift")):
        text = path.read_text()
        for match in re.finditer(r"\.(?:en|dis)abled\(", text):
            depth, end = 1, match.end()
            while depth and end < len(text):
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            if not text[match.end():end - 1].rstrip().endswith('"'):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{path.relative_to(ROOT)}:{line}: a condition without a reason"


def main():
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    journeys = contributing.partition("## Three journeys")[2].partition("\n## ")[0]
    mistakes = [f"CONTRIBUTING.md: {line}" for line in missing_in_journeys(journeys)]
    for name in ("CONTRIBUTING.md", "SECURITY.md", "README.md"):
        mistakes += [f"{name}: {line}" for line in missing_files((ROOT / name).read_text())]
    mistakes += skipped_without_reason()
    print("\n".join(mistakes), end="\n" if mistakes else "")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
