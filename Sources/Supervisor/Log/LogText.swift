internal import IPC

/// Text in the log, some of which is hostile. Logs are read on terminals, so characters that could move a cursor, change the order
/// of shown text or stand there unseen are written as `\u` and their number.
package enum LogText {
    /// A JSON string. Plain text is copied in long pieces.
    static func quoted(_ text: String) -> String { "\"" + escaped(text, quotes: true) + "\"" }

    /// The text for a person, on one line.
    package static func shown(_ text: String) -> String { escaped(text, quotes: false) }

    /// - Parameter quotes: whether quotes and backslashes are escaped as well, as in a JSON string.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        var text = text
        var written: [UInt8] = []
        text.withUTF8 { bytes in
            written.reserveCapacity(bytes.count + bytes.count / 8)
            var copied = 0
            var position = 0
            while position < bytes.count {
                let byte = bytes[position]
                let isQuote = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
                if byte >= 0x20, byte < 0x7F, !(quotes && isQuote) {
                    position += 1
                    continue
                }
                let (length, escape) = escape(bytes, at: position)
                if let escape {
                    written.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[copied..<position]))
                    written.append(contentsOf: escape.utf8)
                    copied = position + length
                }
                position += length
            }
            written.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[copied...]))
        }
        return String(decoding: written, as: UTF8.self)
    }

    /// How many bytes the scalar at a place of valid UTF-8 has, and its escape; nil if it needs none.
    private static func escape(_ bytes: UnsafeBufferPointer<UInt8>, at position: Int) -> (length: Int, escape: String?)
    {
        let first = UInt32(bytes[position])
        switch UInt8(first) {
        case UInt8(ascii: "\""): return (1, "\\\"")
        case UInt8(ascii: "\\"): return (1, "\\\\")
        case UInt8(ascii: "\n"): return (1, "\\n")
        case UInt8(ascii: "\t"): return (1, "\\t")
        default: break
        }
        let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        var value = length == 1 ? first : first & (0xFF >> UInt32(length + 1))
        for offset in 1..<max(1, length) { value = value << 6 | UInt32(bytes[position + offset] & 0x3F) }
        guard let scalar = Unicode.Scalar(value), isUnseen(scalar) else { return (length, nil) }
        return (
            length, String(scalar).utf16.map { "\\u" + Hexadecimal.text([UInt8($0 >> 8), UInt8($0 & 0xFF)]) }.joined()
        )
    }

    private static func isUnseen(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: true
        default: scalar.properties.isDefaultIgnorableCodePoint
        }
    }
}
