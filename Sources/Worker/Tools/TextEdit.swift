internal import Threads

/// The replacement of one exact text by another.
struct TextEdit: Sendable {
    let old: String
    let new: String
    /// Whether to replace every occurrence. If not, there must be exactly one.
    let all: Bool

    /// The longest text in bytes that is edited, before, between and after the edits. It is several times in memory.
    static let maximumSize = 8 << 20
    /// How many bytes the edits of one call may search together. Each edit searches the whole text. This takes some seconds.
    static let maximumWork = 1 << 30

    /// Applies edits one after the other. Bytes are compared, because to Swift's strings "é" equals "e" with an accent. Lines of the
    /// edits end as those of the file do, see `LineEndings`. If the file has no end of its last line, a text that ends with one is
    /// found there as well, and the file stays without it.
    /// - Returns: the new text, and how many places were replaced.
    /// - Throws: `FileFailure` if a text is absent or ambiguous, if the result is too long or the work too much, or if the call
    ///   is cancelled. Then nothing has changed.
    static func apply(
        _ edits: [TextEdit], to text: [UInt8], _ cancellation: Cancellation? = nil
    ) throws(FileFailure) -> (text: [UInt8], count: Int) {
        let most = maximumWork / max(1, text.count)
        guard edits.count <= most else { throw tooMany(edits, most, text) }
        var bytes = text
        var endings = LineEndings(of: text)
        var count = 0
        var work = 0
        for (index, edit) in edits.enumerated() {
            if cancellation?.isCancelled == true { throw FileFailure(sentence: "The call was cancelled.") }
            let ways = endings.ways(Array(edit.old.utf8), Array(edit.new.utf8), in: bytes)
            var places = 0
            for way in ways where places == 0 {
                // Both are below 2^26, so their sum cannot overflow.
                work += bytes.count + way.old.count
                guard work <= maximumWork else { throw tooMany(edits, index, text) }
                places = try edit.replace(way.old, by: way.new, in: &bytes, index)
            }
            if places == 0 { places = try atEnd(ways, in: &bytes, index) }
            guard places > 0 else {
                throw FileFailure(
                    sentence: "edits[\(index)]: old_text does not occur in the file"
                        + (index > 0 ? " after the edits before it" : "")
                        + ". Nothing was written; read the file and copy the text exactly.")
            }
            count += places
            // An edit of nothing but ends of lines changes how they end.
            if edit.new.utf8.contains(UInt8(ascii: "\n")) { endings = LineEndings(of: bytes) }
        }
        return (bytes, count)
    }

    /// Replaces the end of a text that has no end of its last line, if an edit has that text with one.
    /// - Returns: how many places were replaced: one or none.
    private static func atEnd(
        _ ways: [(old: [UInt8], new: [UInt8])], in bytes: inout [UInt8], _ index: Int
    ) throws(FileFailure) -> Int {
        for (old, new) in ways where bytes.last != UInt8(ascii: "\n") {
            guard let line = LineEndings.withoutLastEnd(old), !line.isEmpty, bytes.count >= line.count,
                bytes.suffix(line.count).elementsEqual(line)
            else { continue }
            let added = LineEndings.withoutLastEnd(new) ?? new
            let size = bytes.count - line.count + added.count
            guard size <= maximumSize else { throw tooLong(size, 1, index) }
            bytes.removeLast(line.count)
            bytes += added
            return 1
        }
        return 0
    }

    private static func tooLong(_ size: Int?, _ count: Int, _ index: Int) -> FileFailure {
        FileFailure(
            sentence: "edits[\(index)]: replacing \(count) \(count == 1 ? "place" : "places") makes a file of "
                + "\(size.map { "\($0) bytes, more" } ?? "far more") than the \(maximumSize) that can "
                + "be edited. Nothing was written; replace less, or write the file with ssh_upload_file or ssh_exec.")
    }

    private static func tooMany(_ edits: [TextEdit], _ most: Int, _ text: [UInt8]) -> FileFailure {
        FileFailure(
            sentence: "\(edits.count) are too many edits of a file of \(text.count) bytes in one call. Nothing was "
                + "written; pass at most \(most) of them at once.")
    }

    /// - Returns: how many places were replaced.
    private func replace(
        _ old: [UInt8], by new: [UInt8], in bytes: inout [UInt8], _ index: Int
    ) throws(FileFailure) -> Int {
        // A needle that is longer than the text is not there, and the search would take four times its memory.
        let search = TextSearch(for: old.count <= bytes.count ? old : [])
        var count = 0
        search.forEach(in: bytes) { _ in count += 1 }
        guard count > 0 else { return 0 }
        guard all || count == 1 else {
            throw FileFailure(
                sentence: "edits[\(index)]: old_text occurs \(count) times. Nothing was written; "
                    + "take in more of the lines around it, or set replace_all.")
        }
        // The length of the result is judged before the result is made.
        let (growth, overflow) = count.multipliedReportingOverflow(by: new.count)
        let (size, overflows) = (bytes.count - count * old.count).addingReportingOverflow(growth)
        guard !overflow, !overflows, size <= Self.maximumSize else {
            throw Self.tooLong(overflow || overflows ? nil : size, count, index)
        }
        var edited: [UInt8] = []
        edited.reserveCapacity(size)
        var position = 0
        search.forEach(in: bytes) { place in
            edited += bytes[position..<place]
            edited += new
            position = place + old.count
        }
        edited += bytes[position...]
        bytes = edited
        return count
    }
}
