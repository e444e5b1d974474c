/// Writes the text of a difference. The text is never longer than `limit` and a line that says that more was left out.
struct DiffText {
    private let limit: Int
    private var bytes: [UInt8]
    private(set) var isFull = false

    /// A text that begins with the two names, as diff(1) writes them.
    init(limit: Int, path: String) {
        self.limit = limit
        bytes = Array("--- \(path)\n+++ \(path)\n".utf8)
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Writes, instead of a hunk, how many lines after the line number `line` are replaced by how many.
    mutating func tooDifferent(after line: Int, _ oldCount: Int, _ newCount: Int) {
        header(line, oldCount, line, newCount)
        append(
            "\\ The texts are too different to show: from line \(line + 1) on, \(counted(oldCount)) replaced by "
                + "\(newCount)\n")
    }

    /// Writes changes with the lines around them. Both tables begin after line number `line` of their texts, with equal lines.
    mutating func append(
        _ hunk: ArraySlice<LineChanges.Change>, _ old: LineTable, _ new: LineTable, after line: Int
    ) {
        guard let first = hunk.first, let last = hunk.last else { return }
        let before = min(Self.context, first.old.lowerBound)
        let after = min(Self.context, old.count - last.old.upperBound)
        let oldStart = first.old.lowerBound - before
        let newStart = first.new.lowerBound - before
        header(
            line + oldStart, last.old.upperBound + after - oldStart, line + newStart,
            last.new.upperBound + after - newStart)
        var next = oldStart
        for change in hunk {
            for index in next..<change.old.lowerBound { append(" ", old[index]) }
            for index in change.old { append("-", old[index]) }
            for index in change.new { append("+", new[index]) }
            next = change.old.upperBound
        }
        for index in next..<(next + after) { append(" ", old[index]) }
    }

    /// How many lines are shown around a change.
    private static let context = 3

    /// The header of a hunk. `old` and `new` are how many lines come before it. If a side has no lines, its number is that of the
    /// line before.
    private mutating func header(_ old: Int, _ oldCount: Int, _ new: Int, _ newCount: Int) {
        let (oldStart, newStart) = (old + (oldCount > 0 ? 1 : 0), new + (newCount > 0 ? 1 : 0))
        append("@@ -\(oldStart),\(oldCount) +\(newStart),\(newCount) @@\n")
    }

    private mutating func append(_ mark: Unicode.Scalar, _ line: ArraySlice<UInt8>) {
        guard !isFull else { return }
        guard bytes.count + line.count < limit else {
            isFull = true
            bytes += "\\ The rest of the difference is too long to show\n".utf8
            return
        }
        bytes.append(UInt8(ascii: mark))
        bytes += line
        if line.last != 0x0A { bytes += "\n\\ No newline at end of file\n".utf8 }
    }

    private mutating func append(_ text: String) {
        if !isFull { bytes += text.utf8 }
    }

    private func counted(_ lines: Int) -> String { lines == 1 ? "1 line is" : "\(lines) lines are" }
}
