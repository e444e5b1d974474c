import JSON
import TestSupport
import Testing

@testable import Tools

@Suite("The difference of two texts")
struct UnifiedDiffTests {
    private func diff(_ old: String, _ new: String) -> String {
        UnifiedDiff.text(from: Array(old.utf8), to: Array(new.utf8), path: "/f")
    }

    @Test func `it is as diff shows it`() {
        #expect(diff("a\n", "a\n") == "")
        #expect(diff("1\n2\n3\n4\n5\n", "1\n2\n3\n4\nV\n") == "--- /f\n+++ /f\n@@ -2,4 +2,4 @@\n 2\n 3\n 4\n-5\n+V\n")
        #expect(diff("", "x\n") == "--- /f\n+++ /f\n@@ -0,0 +1,1 @@\n+x\n")
        #expect(diff("x\n", "") == "--- /f\n+++ /f\n@@ -1,1 +0,0 @@\n-x\n")
        let noFeed = "\\ No newline at end of file\n"
        #expect(diff("a\nx", "a\nx\n") == "--- /f\n+++ /f\n@@ -1,2 +1,2 @@\n a\n-x\n\(noFeed)+x\n")
        let lines = (1...30).map { "\($0)\n" }.joined()
        // As many lines between two changes as both show are shown once; one more, and each has its own.
        func hunks(_ second: Int) -> Int {
            let changed = lines.replacing("\n2\n", with: "\nB\n").replacing("\n\(second)\n", with: "\nT\n")
            return diff(lines, changed).split(separator: "\n").count { $0.hasPrefix("@@") }
        }
        #expect(hunks(9) == 1 && hunks(10) == 2)
        let twice = diff(lines, lines.replacing("\n2\n", with: "\nB\n").replacing("\n20\n", with: "\nT\n"))
        #expect(twice.contains("@@ -1,5 +1,5 @@\n 1\n-2\n+B\n") && twice.contains("@@ -17,7 +17,7 @@\n 17\n"))
    }

    @Test func `lines that only look equal differ`() {
        #expect(
            diff("\u{E9}\n", "e\u{301}\n").utf8.elementsEqual(
                "--- /f\n+++ /f\n@@ -1,1 +1,1 @@\n-\u{E9}\n+e\u{301}\n".utf8))
    }

    @Test func `what it says leads from the old text to the new one`() throws {
        var generator = SeededGenerator(seed: 3)
        let pieces = ["a\n", "b\n", "\n", "a", "c\r\n", "\u{E9}\n", "e\u{301}\n"]
        for _ in 0..<3000 {
            func text() -> String {
                (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                    pieces[Int.random(in: 0..<pieces.count, using: &generator)]
                }.joined()
            }
            let (start, end) = (text(), text())
            let (old, new) = (start + text() + end, start + text() + end)
            #expect(
                try Array(apply(diff(old, new), to: old)) == Array(new.utf8),
                "\(old.debugDescription) \(new.debugDescription)")
        }
    }

    /// As patch(1) does it, and without its tolerance.
    private func apply(_ diff: String, to text: String) throws -> [UInt8] {
        func lines(_ text: String) -> [[UInt8]] {
            let parts = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
            return parts.dropLast().map { $0 + [0x0A] } + parts.suffix(1).filter { !$0.isEmpty }
        }
        let old = lines(text)
        var (result, position): ([[UInt8]], Int) = ([], 0)
        var pending: (mark: UInt8, line: [UInt8])?
        func flush() {
            guard let (mark, line) = pending else { return }
            pending = nil
            if mark != UInt8(ascii: "+") {
                #expect(position < old.count && old[position] == line)
                position += 1
            }
            if mark != UInt8(ascii: "-") { result.append(line) }
        }
        for line in lines(diff).dropFirst(2) {
            switch line[0] {
            case UInt8(ascii: "@"):
                flush()
                let range = String(decoding: line, as: UTF8.self).split(separator: " ")[1].dropFirst().split(
                    separator: ",")
                let (start, count) = (try #require(Int(range[0])), try #require(Int(range[1])))
                let place = count == 0 ? start : start - 1
                #expect(place >= position)
                result += old[position..<max(place, position)]
                position = place
            case UInt8(ascii: "\\"): pending?.line.removeLast()
            default:
                flush()
                pending = (line[0], Array(line.dropFirst()))
            }
        }
        flush()
        return (result + old[position...]).flatMap { $0 }
    }

    @Test func `a long one is cut`() {
        let text = diff("", String(repeating: String(repeating: "x", count: 99) + "\n", count: 3000))
        #expect(text.hasPrefix("--- /f\n+++ /f\n@@ -0,0 +1,3000 @@\n+x"))
        #expect(text.hasSuffix("x\n\\ The rest of the difference is too long to show\n"))
        #expect(text.utf8.count < UnifiedDiff.maximumText + 100)
    }

    @Test func `texts beyond the bounds are too different to show, with counts`() {
        let old = [UInt8](repeating: 0x0A, count: 2 << 20)
        let text = UnifiedDiff.text(from: old, to: old.flatMap { [0x0D, $0] }, path: "/f")
        #expect(
            text
                == "--- /f\n+++ /f\n@@ -1,2097152 +1,2097152 @@\n\\ The texts are too different to show: from line 1 on, "
                + "2097152 lines are replaced by 2097152\n")
        // Two changes alone, and as many lines between them as are compared; and one line more.
        let between = String(repeating: "\n", count: 99_998)
        #expect(diff("a\n\(between)b\n", "c\n\(between)d\n").contains("-a\n+c\n"))
        #expect(diff("a\n\n\(between)b\n", "c\n\n\(between)d\n").contains("100001 lines are replaced by 100001"))
        let lines = (1...3000).map { "\($0)\n" }
        let other = diff("a\n" + lines.joined() + "z\n", "a\n" + lines.map { "x\($0)" }.joined() + "z\n")
        #expect(
            other.hasSuffix(
                "@@ -2,3000 +2,3000 @@\n\\ The texts are too different to show: from line 2 on, 3000 lines are "
                    + "replaced by 3000\n"))
    }

    @Test func `a small difference in a large text is found`() {
        let lines = (1...60_000).map { "line \($0)\n" }
        var changed = lines
        changed[9] = "first\n"
        changed.remove(at: 30_000)
        changed[59_000] = "last\n"
        let text = diff(lines.joined(), changed.joined())
        #expect(
            text.split(separator: "\n").filter { $0.hasPrefix("-") || $0.hasPrefix("+") }.dropFirst(2) == [
                "-line 10", "+first", "-line 30001", "-line 59002", "+last",
            ])
    }

    /// The square of the lines, times what they have in common: half a minute with a search that compares texts.
    @Test func `lines that begin alike cost no more than others`() throws {
        let common = String(repeating: "the same beginning of every line ", count: 60)
        let old = (0..<1990).map { "\(common)\($0 % 7)old\($0)\n" }.joined()
        let new = (0..<1990).map { "\(common)\($0 % 7)new\($0)\n" }.joined()
        let elapsed = ContinuousClock().measure { #expect(diff(old, new).contains("too long to show")) }
        // Some hundredths of a second; the bound is for machines that are busy.
        #expect(elapsed < .seconds(5))
    }
}
