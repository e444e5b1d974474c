internal import Threads

/// Makes the difference of two texts as diff(1) -u shows it, within bounds.
enum UnifiedDiff {
    /// The most bytes. If more was left out, a line says so.
    static let maximumText = 256 << 10
    /// How many lines are shown around a change.
    private static let context = 3
    /// How many lines of both texts are compared, from the first that differs to the last. With more, none are compared.
    private static let maximumLines = 200_000

    /// The difference; empty if the texts are equal. If they differ too much to be compared line by line, it says so and how many
    /// lines differ.
    static func text(from old: [UInt8], to new: [UInt8], path: String, _ cancellation: Cancellation? = nil) -> String {
        guard old != new else { return "" }
        var output = DiffText(limit: maximumText, path: path)
        let start = commonStart(old, new)
        let end = commonEnd(old, new, from: start)
        let counts = (
            old: LineTable.count(in: old, start..<(old.count - end)),
            new: LineTable.count(in: new, start..<(new.count - end))
        )
        let first = LineTable.back(context, in: old, from: start, to: 0)
        let line = LineTable.count(in: old, 0..<first)
        guard counts.old + counts.new <= maximumLines else {
            output.tooDifferent(after: LineTable.count(in: old, 0..<start), counts.old, counts.new)
            return output.text
        }
        let oldLines = LineTable(of: old, first..<linesEnd(old, from: old.count - end))
        let newLines = LineTable(of: new, first..<linesEnd(new, from: new.count - end))
        let numbers = LineTable.numbers(oldLines, newLines)
        guard let changes = LineChanges.between(numbers.old, numbers.new, cancellation) else {
            output.tooDifferent(after: LineTable.count(in: old, 0..<start), counts.old, counts.new)
            return output.text
        }
        for hunk in hunks(changes) where !output.isFull { output.append(hunk, oldLines, newLines, after: line) }
        return output.text
    }

    /// Where the context after the last change ends.
    private static func linesEnd(_ text: [UInt8], from place: Int) -> Int {
        (0..<context).reduce(place) { place, _ in LineTable.endOfLine(in: text, from: place, to: text.count) }
    }

    /// Groups changes that are so close that they share context.
    private static func hunks(_ changes: [LineChanges.Change]) -> [ArraySlice<LineChanges.Change>] {
        var hunks: [ArraySlice<LineChanges.Change>] = []
        for index in changes.indices {
            if let last = hunks.last, changes[index].old.lowerBound - changes[index - 1].old.upperBound <= 2 * context {
                hunks[hunks.count - 1] = changes[last.startIndex...index]
            } else {
                hunks.append(changes[index...index])
            }
        }
        return hunks
    }

    // MARK: What is equal

    /// Where the first line begins that differs.
    private static func commonStart(_ old: [UInt8], _ new: [UInt8]) -> Int {
        old.withUnsafeBufferPointer { old in
            new.withUnsafeBufferPointer { new in
                var (index, start) = (0, 0)
                let most = min(old.count, new.count)
                while index < most, old[index] == new[index] {
                    index += 1
                    if old[index - 1] == 0x0A { start = index }
                }
                return start
            }
        }
    }

    /// How many bytes the equal lines at the ends of both texts have.
    private static func commonEnd(_ old: [UInt8], _ new: [UInt8], from start: Int) -> Int {
        old.withUnsafeBufferPointer { old in
            new.withUnsafeBufferPointer { new in
                var (length, end) = (0, 0)
                let most = min(old.count, new.count) - start
                while length < most, old[old.count - 1 - length] == new[new.count - 1 - length] {
                    // In both texts a line begins here, after a line feed.
                    if length > 0, old[old.count - 1 - length] == 0x0A { end = length }
                    length += 1
                }
                func begins(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
                    let place = text.count - length
                    return place == start || text[place - 1] == 0x0A
                }
                return length > 0 && begins(old) && begins(new) ? length : end
            }
        }
    }
}
