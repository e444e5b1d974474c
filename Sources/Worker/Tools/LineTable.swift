internal import Glibc

/// A stretch of whole lines of a text, by where each begins. Texts are bytes: to Swift's strings "é" equals "e" with an
/// accent.
struct LineTable {
    private let text: [UInt8]
    /// Where each line begins, and where the last one ends.
    private let starts: [Int32]

    /// The lines, with their line feeds, of a stretch that begins where a line does.
    init(of text: [UInt8], _ stretch: Range<Int>) {
        var starts = [Int32(stretch.lowerBound)]
        var place = stretch.lowerBound
        while place < stretch.upperBound {
            place = Self.endOfLine(in: text, from: place, to: stretch.upperBound)
            starts.append(Int32(place))
        }
        self.text = text
        self.starts = starts
    }

    var count: Int { starts.count - 1 }

    /// A line with its line feed; the last line of a text may have none.
    subscript(index: Int) -> ArraySlice<UInt8> { text[Int(starts[index])..<Int(starts[index + 1])] }

    /// How many lines a stretch has.
    static func count(in text: [UInt8], _ stretch: Range<Int>) -> Int {
        var (count, place) = (0, stretch.lowerBound)
        while place < stretch.upperBound {
            place = endOfLine(in: text, from: place, to: stretch.upperBound)
            count += 1
        }
        return count
    }

    /// The place behind the next line feed, at most `end`.
    static func endOfLine(in text: [UInt8], from place: Int, to end: Int) -> Int {
        text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let found = memchr(base + place, 0x0A, end - place) else { return end }
            return base.distance(to: UnsafeRawPointer(found)) + 1
        }
    }

    /// The place `lines` lines before one at which a line begins, at least `start`.
    static func back(_ lines: Int, in text: [UInt8], from place: Int, to start: Int) -> Int {
        var place = place
        for _ in 0..<lines where place > start {
            place -= 1
            while place > start, text[place - 1] != 0x0A { place -= 1 }
        }
        return place
    }

    /// Numbers for the lines of two tables: lines with the same bytes have the same one.
    static func numbers(_ old: LineTable, _ new: LineTable) -> (old: [Int32], new: [Int32]) {
        old.text.withUnsafeBytes { oldText in
            new.text.withUnsafeBytes { newText in
                var known: [Line: Int32] = [:]
                known.reserveCapacity(old.count)
                func numbers(_ table: LineTable, _ text: UnsafeRawBufferPointer) -> [Int32] {
                    (0..<table.count).map { index in
                        let stretch = Int(table.starts[index])..<Int(table.starts[index + 1])
                        let line = Line(bytes: UnsafeRawBufferPointer(rebasing: text[stretch]))
                        let number = known[line] ?? Int32(known.count)
                        known[line] = number
                        return number
                    }
                }
                return (numbers(old, oldText), numbers(new, newText))
            }
        }
    }

    /// Bytes of a text that stays where it is meanwhile.
    private struct Line: Hashable {
        let bytes: UnsafeRawBufferPointer

        static func == (left: Line, right: Line) -> Bool {
            guard left.bytes.count == right.bytes.count else { return false }
            guard let first = left.bytes.baseAddress, let second = right.bytes.baseAddress else { return true }
            return memcmp(first, second, left.bytes.count) == 0
        }

        func hash(into hasher: inout Hasher) { hasher.combine(bytes: bytes) }
    }
}
