/// The difference of two texts as diff(1) -u shows it.
enum UnifiedDiff {
    /// Lines around a change.
    private static let context = 3
    /// Changed stretches above this many lines squared are shown as removed and added whole: the search for the smallest
    /// difference takes time in the square.
    private static let maximumSearch = 4_000_000

    private enum Line {
        case same(Substring)
        case removed(Substring)
        case added(Substring)
    }

    /// Empty where the texts are equal.
    static func text(from old: String, to new: String, path: String) -> String {
        guard old != new else { return "" }
        let lines = compare(split(old), split(new))
        var text = "--- \(path)\n+++ \(path)\n"
        for hunk in hunks(lines) { text += render(lines, hunk) }
        return text
    }

    /// Lines with their line feeds.
    private static func split(_ text: String) -> [Substring] {
        var lines: [Substring] = []
        var start = text.startIndex
        while start < text.endIndex {
            let end =
                text[start...].utf8.firstIndex(of: UInt8(ascii: "\n")).map { text.utf8.index(after: $0) }
                ?? text.endIndex
            lines.append(text[start..<end])
            start = end
        }
        return lines
    }

    private static func compare(_ old: [Substring], _ new: [Substring]) -> [Line] {
        let prefix = zip(old, new).prefix { $0 == $1 }.count
        let rest = min(old.count, new.count) - prefix
        let suffix = zip(old.reversed(), new.reversed()).prefix(rest).prefix { $0 == $1 }.count
        let oldMiddle = old[prefix..<(old.count - suffix)]
        let newMiddle = new[prefix..<(new.count - suffix)]
        var lines = old[..<prefix].map { Line.same($0) }
        if oldMiddle.count * newMiddle.count > maximumSearch {
            lines += oldMiddle.map { .removed($0) } + newMiddle.map { .added($0) }
        } else {
            lines += search(Array(oldMiddle), Array(newMiddle))
        }
        return lines + old[(old.count - suffix)...].map { .same($0) }
    }

    private static func search(_ old: [Substring], _ new: [Substring]) -> [Line] {
        let difference = new.difference(from: old)
        var removed: Set<Int> = []
        var added: Set<Int> = []
        for change in difference {
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

    private static func render(_ lines: [Line], _ hunk: Range<Int>) -> String {
        func count(_ range: Range<Int>, _ counts: (Line) -> Bool) -> Int { lines[range].count(where: counts) }
        func isOld(_ line: Line) -> Bool { if case .added = line { false } else { true } }
        func isNew(_ line: Line) -> Bool { if case .removed = line { false } else { true } }
        let oldCount = count(hunk, isOld)
        let newCount = count(hunk, isNew)
        // A side without lines is named by the line before it.
        let oldStart = count(0..<hunk.lowerBound, isOld) + (oldCount > 0 ? 1 : 0)
        let newStart = count(0..<hunk.lowerBound, isNew) + (newCount > 0 ? 1 : 0)
        var text = "@@ -\(oldStart),\(oldCount) +\(newStart),\(newCount) @@\n"
        for line in lines[hunk] {
            let (mark, content) =
                switch line {
                case .same(let content): (" ", content)
                case .removed(let content): ("-", content)
                case .added(let content): ("+", content)
                }
            text += mark + content
            if content.utf8.last != UInt8(ascii: "\n") { text += "\n\\ No newline at end of file\n" }
        }
        return text
    }
}
