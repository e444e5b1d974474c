internal import Glibc

/// Some whole lines of a text, as the places where they begin. Texts are bytes here, because to Swift's strings "é" equals "e"
/// with an accent.
struct LineTable {
    private let text: [UInt8]
    /// The places where the lines begin, and the place where the last one ends.
    private let starts: [Int32]

    /// The lines of a part of a text. The part must begin where a line begins.
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

    /// How many lines a part of a text has.
    static func count(in text: [UInt8], _ stretch: Range<Int>) -> Int {
        var (count, place) = (0, stretch.lowerBound)
        while place < stretch.upperBound {
            place = endOfLine(in: text, from: place, to: stretch.upperBound)
            count += 1
        }
        return count
    }

    /// The place after the next line feed; `end` if there is none before it.
    static func endOfLine(in text: [UInt8], from place: Int, to end: Int) -> Int {
        text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let found = memchr(base + place, 0x0A, end - place) else { return end }
            return base.distance(to: UnsafeRawPointer(found)) + 1
        }
    }

    /// The place where the line begins that is `lines` lines before the line at a place; `start` if that comes first.
    static func back(_ lines: Int, in text: [UInt8], from place: Int, to start: Int) -> Int {
        var place = place
        for _ in 0..<lines where place > start {
            place -= 1
            while place > start, text[place - 1] != 0x0A { place -= 1 }
        }
        return place
    }

    /// Gives the lines of two tables numbers, so that lines with the same bytes have the same number.
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

    /// The bytes of a line, as a key of a dictionary. The text must stay in memory as long as the key.
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
