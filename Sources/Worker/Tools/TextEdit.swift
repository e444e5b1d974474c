/// The replacement of one exact text by another.
struct TextEdit {
    let old: String
    let new: String
    /// Replace every occurrence; else there must be exactly one.
    let all: Bool

    /// Applies edits one after the other. Bytes are compared: to Swift's strings "é" equals "e" with an accent. What is
    /// UTF-8 stays so.
    /// - Returns: the new text and how many places were replaced.
    /// - Throws: `FileFailure` where a text is absent or ambiguous; nothing has changed then.
    static func apply(_ edits: [TextEdit], to text: [UInt8]) throws(FileFailure) -> (text: [UInt8], count: Int) {
        var bytes = text
        var count = 0
        for (index, edit) in edits.enumerated() {
            let old = Array(edit.old.utf8)
            let places = occurrences(of: old, in: bytes)
            guard !places.isEmpty else {
                throw FileFailure(
                    sentence: "edits[\(index)]: old_text does not occur in the file"
                        + (index > 0 ? " after the edits before it" : "")
                        + ". Nothing was written; read the file and copy the text exactly.")
            }
            guard edit.all || places.count == 1 else {
                throw FileFailure(
                    sentence: "edits[\(index)]: old_text occurs \(places.count) times. Nothing was written; "
                        + "take in more of the lines around it, or set replace_all.")
            }
            var edited: [UInt8] = []
            edited.reserveCapacity(bytes.count)
            var position = 0
            for place in places {
                edited += bytes[position..<place]
                edited += edit.new.utf8
                position = place + old.count
            }
            edited += bytes[position...]
            bytes = edited
            count += places.count
        }
        return (bytes, count)
    }

    /// Where `needle` begins, not overlapping.
    private static func occurrences(of needle: [UInt8], in bytes: [UInt8]) -> [Int] {
        guard let first = needle.first, needle.count <= bytes.count else { return [] }
        var places: [Int] = []
        var position = 0
        while position <= bytes.count - needle.count {
            guard let found = bytes[position...(bytes.count - needle.count)].firstIndex(of: first) else { break }
            if bytes[found..<(found + needle.count)].elementsEqual(needle) {
                places.append(found)
                position = found + needle.count
            } else {
                position = found + 1
            }
        }
        return places
    }
}
