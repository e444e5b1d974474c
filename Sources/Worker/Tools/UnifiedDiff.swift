internal import Glibc

/// The difference of two texts as diff(1) -u shows it. Texts are bytes: to Swift's strings "é" equals "e" with an accent.
enum UnifiedDiff {
    /// Longest in bytes; a line says so where more was left out.
    static let maximumText = 256 << 10
    /// Lines around a change.
    private static let context = 3
    /// Changed stretches of more lines, or of more of both multiplied, are shown as removed and added whole: the search
    /// for the smallest difference takes time in the square.
    private static let maximumLines = 20_000
    private static let maximumSearch = 4_000_000

    private enum Line {
        case same(ArraySlice<UInt8>)
        case removed(ArraySlice<UInt8>)
        case added(ArraySlice<UInt8>)
    }

    /// Empty where the texts are equal.
    static func text(from old: [UInt8], to new: [UInt8], path: String) -> String {
        guard old != new else { return "" }
        var output = Output()
        output.append(Array("--- \(path)\n+++ \(path)\n".utf8)[...])
        let start = commonStart(old, new)
        let (oldEnd, newEnd) = commonEnd(old, new, from: start)
        let (oldMiddle, newMiddle) = (old[start..<oldEnd], new[start..<newEnd])
        let (oldCount, newCount) = (lineCount(oldMiddle), lineCount(newMiddle))
        let before = lastLines(old[..<start]).map { Line.same($0) }
        let after = firstLines(old[oldEnd...]).map { Line.same($0) }
        let line = lineCount(old[..<start]) - before.count
        if oldCount + newCount > maximumLines || oldCount * newCount > maximumSearch {
            output.header(line, oldCount + before.count + after.count, line, newCount + before.count + after.count)
            for same in before { output.append(same) }
            forEachLine(oldMiddle) { output.append(.removed($0)) }
            forEachLine(newMiddle) { output.append(.added($0)) }
            for same in after { output.append(same) }
        } else {
            let lines = before + search(split(oldMiddle), split(newMiddle)) + after
            for hunk in hunks(lines) { output.append(lines, hunk, after: line) }
        }
        return output.text
    }

    // MARK: Lines, with their line feeds

    private static func forEachLine(_ bytes: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) -> Bool) {
        var rest = bytes
        while !rest.isEmpty {
            let line = rest.prefix(through: feed(in: rest) ?? rest.endIndex - 1)
            guard body(line) else { return }
            rest = rest[line.endIndex...]
        }
    }

    private static func split(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        forEachLine(bytes) { line in
            lines.append(line)
            return true
        }
        return lines
    }

    private static func firstLines(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        forEachLine(bytes) { line in
            lines.append(line)
            return lines.count < context
        }
        return lines
    }

    /// Of bytes that end in a line feed.
    private static func lastLines(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var rest = bytes
        while lines.count < context, !rest.isEmpty {
            let start = rest.dropLast().lastIndex(of: 0x0A).map { $0 + 1 } ?? rest.startIndex
            lines.insert(rest[start...], at: 0)
            rest = rest[..<start]
        }
        return lines
    }

    private static func lineCount(_ bytes: ArraySlice<UInt8>) -> Int {
        var count = 0
        forEachLine(bytes) { _ in
            count += 1
            return true
        }
        return count
    }

    private static func feed(in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress, let found = memchr(base, 0x0A, buffer.count) else { return nil }
            return bytes.startIndex + base.distance(to: UnsafeRawPointer(found))
        }
    }

    // MARK: What is equal

    /// Where the first line begins that is not the same in both.
    private static func commonStart(_ old: [UInt8], _ new: [UInt8]) -> Int {
        var index = 0
        var start = 0
        while index < old.count, index < new.count, old[index] == new[index] {
            if old[index] == 0x0A { start = index + 1 }
            index += 1
        }
        return start
    }

    /// Where the lines begin that are the same up to the ends of both.
    private static func commonEnd(_ old: [UInt8], _ new: [UInt8], from start: Int) -> (old: Int, new: Int) {
        var length = 0
        var end = 0
        let most = min(old.count, new.count) - start
        while length < most, old[old.count - 1 - length] == new[new.count - 1 - length] {
            // A line begins behind a line feed in both.
            if length > 0, old[old.count - 1 - length] == 0x0A { end = length }
            length += 1
        }
        func begins(_ text: [UInt8]) -> Bool {
            let place = text.count - length
            return place == start || text[place - 1] == 0x0A
        }
        if length > 0, begins(old), begins(new) { end = length }
        return (old.count - end, new.count - end)
    }

    private static func search(_ old: [ArraySlice<UInt8>], _ new: [ArraySlice<UInt8>]) -> [Line] {
        var removed: Set<Int> = []
        var added: Set<Int> = []
        for change in new.difference(from: old) {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): added.insert(offset)
            }
        }
        var lines: [Line] = []
        var (left, right) = (0, 0)
        while left < old.count || right < new.count {
            if left < old.count, removed.contains(left) {
                lines.append(.removed(old[left]))
                left += 1
            } else if right < new.count, added.contains(right) {
                lines.append(.added(new[right]))
                right += 1
            } else {
                lines.append(.same(old[left]))
                left += 1
                right += 1
            }
        }
        return lines
    }

    /// Stretches of changes with their context.
    private static func hunks(_ lines: [Line]) -> [Range<Int>] {
        var hunks: [Range<Int>] = []
        for (index, line) in lines.enumerated() {
            if case .same = line { continue }
            let start = max(0, index - context)
            let end = min(lines.count, index + context + 1)
            if let last = hunks.last, start <= last.upperBound {
                hunks[hunks.count - 1] = last.lowerBound..<end
            } else {
                hunks.append(start..<end)
            }
        }
        return hunks
    }

    /// The text as far as it goes.
    private struct Output {
        private var bytes: [UInt8] = []
        private var isFull = false

        var text: String { String(decoding: bytes, as: UTF8.self) }

        mutating func append(_ more: ArraySlice<UInt8>) { bytes += more }

        /// `old` and `new` are the lines before the hunk.
        mutating func header(_ old: Int, _ oldCount: Int, _ new: Int, _ newCount: Int) {
            // A side without lines is named by the line before it.
            let (oldStart, newStart) = (old + (oldCount > 0 ? 1 : 0), new + (newCount > 0 ? 1 : 0))
            if !isFull { append(Array("@@ -\(oldStart),\(oldCount) +\(newStart),\(newCount) @@\n".utf8)[...]) }
        }

        /// - Returns: false where no more is taken.
        @discardableResult
        mutating func append(_ line: Line) -> Bool {
            guard !isFull else { return false }
            let (mark, content) =
                switch line {
                case .same(let content): (UInt8(ascii: " "), content)
                case .removed(let content): (UInt8(ascii: "-"), content)
                case .added(let content): (UInt8(ascii: "+"), content)
                }
            guard bytes.count + content.count < maximumText else {
                isFull = true
                append(Array("\\ The rest of the difference is too long to show\n".utf8)[...])
                return false
            }
            bytes.append(mark)
            append(content)
            if content.last != 0x0A { append(Array("\n\\ No newline at end of file\n".utf8)[...]) }
            return true
        }

        /// A hunk of lines that begin behind the `line`th.
        mutating func append(_ lines: [Line], _ hunk: Range<Int>, after line: Int) {
            func count(_ range: Range<Int>, _ counts: (Line) -> Bool) -> Int { lines[range].count(where: counts) }
            func isOld(_ line: Line) -> Bool { if case .added = line { false } else { true } }
            func isNew(_ line: Line) -> Bool { if case .removed = line { false } else { true } }
            header(
                line + count(0..<hunk.lowerBound, isOld), count(hunk, isOld),
                line + count(0..<hunk.lowerBound, isNew), count(hunk, isNew))
            for line in lines[hunk] { append(line) }
        }
    }
}
