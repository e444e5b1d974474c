/// Writes JSON compactly, members in their order, in one pass. FoundationEssentials' encoder cannot keep an order, and
/// takes several times as long for the megabytes that a command may print.
public struct JSONWriter {
    private(set) var bytes: [UInt8] = []

    /// The text of a value.
    public static func bytes(of value: JSONValue) -> [UInt8] {
        var writer = JSONWriter()
        writer.append(value)
        return writer.bytes
    }

    mutating func append(_ value: JSONValue) {
        switch value {
        case .null: append(raw: "null")
        case .bool(let truth): append(raw: truth ? "true" : "false")
        case .integer(let integer): append(raw: String(integer))
        // JSON has no infinities, and a text that was read has none either.
        case .number(let number): append(raw: number.isFinite ? String(number) : "null")
        case .spelled(let text): append(raw: text)
        case .string(let text): append(text)
        case .encoded(let object): append(encoded: object)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                append(element)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                append(member.name)
                bytes.append(UInt8(ascii: ":"))
                append(member.value)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// The JSON of an object as the content of a string.
    private mutating func append(encoded object: JSONObject) {
        let inner = JSONWriter.bytes(of: .object(object))
        // The escapes of control characters have a backslash too, which is counted here. So the buffer need not double.
        bytes.reserveCapacity(bytes.count + inner.count + inner.count { $0 == 0x22 || $0 == 0x5C } + 1024)
        bytes.append(UInt8(ascii: "\""))
        inner.withUnsafeBufferPointer { append(escaping: $0) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(raw text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func append(_ text: String) {
        var text = text
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { append(escaping: $0) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(escaping source: UnsafeBufferPointer<UInt8>) {
        var start = 0
        // Copies the stretches between characters that need an escape.
        for index in source.indices {
            let byte = source[index]
            guard byte < 0x20 || byte == 0x22 || byte == 0x5C else { continue }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: source[start..<index]))
            start = index + 1
            // Single bytes are faster to append than a text of two bytes.
            bytes.append(UInt8(ascii: "\\"))
            switch byte {
            case 0x22, 0x5C: bytes.append(byte)
            case 0x0A: bytes.append(UInt8(ascii: "n"))
            case 0x0D: bytes.append(UInt8(ascii: "r"))
            case 0x09: bytes.append(UInt8(ascii: "t"))
            default:
                append(raw: byte < 0x10 ? "u000" : "u00")
                append(raw: String(byte, radix: 16))
            }
        }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: source[start...]))
    }
}
