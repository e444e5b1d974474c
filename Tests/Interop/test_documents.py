"""That the conformance table names tests that there are."""

import re
import unittest

from support import ROOT


class ConformanceTests(unittest.TestCase):
    def test_every_row_names_a_test_that_there_is(self):
        rows = [line for line in (ROOT / "docs/CONFORMANCE.md").read_text().splitlines() if line.startswith("| ")][1:]
        self.assertGreater(len(rows), 30)
        files = {path.stem: path for path in (ROOT / "Tests").rglob("*.swift")}
        files["wire.py"] = ROOT / "Tests/Interop/wire.py"
        for row in rows:
            with self.subTest(row=row[:60]):
                cell = row.rstrip(" |").rpartition("|")[2].strip()
                # Suites stand in front of their tests; names may have a semicolon within.
                parts = re.split(r"(?:^|; )([A-Z]\w*Tests|wire\.py)(?:: |(?=;|$))", cell)
                self.assertEqual(parts[0], "")
                for suite, names in zip(parts[1::2], parts[2::2]):
                    text = files[suite].read_text()
                    left = names
                    while left:
                        found = [name for name in re.split(r"; ", left)]
                        name = next(
                            (joined for count in range(len(found), 0, -1)
                             if (joined := "; ".join(found[:count])) in text), None)
                        self.assertIsNotNone(name, f"{suite} has no {left!r}")
                        left = left[len(name):].removeprefix("; ")
