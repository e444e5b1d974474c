/// Reads the fields of one message, which comes without its length.
struct MuxReader {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ message: ArraySlice<UInt8>) {
        bytes = message
        position = message.startIndex
    }

    var isAtEnd: Bool { position == bytes.endIndex }

    mutating func takeNumber() throws(MuxViolation) -> UInt32 {
        guard bytes.endIndex - position >= 4 else { throw .truncated }
        var value: UInt32 = 0
        for byte in bytes[position..<position + 4] { value = value << 8 | UInt32(byte) }
        position += 4
        return value
    }

    mutating func takeFlag(_ name: StaticString) throws(MuxViolation) -> Bool {
        switch try takeNumber() {
        case 0: false
        case 1: true
        default: throw .badValue(name)
        }
    }

    /// Reads the bytes of a text without copying them. Throws if one of them is zero.
    mutating func takeBytes() throws(MuxViolation) -> ArraySlice<UInt8> {
        let length = Int(try takeNumber())
        guard bytes.endIndex - position >= length else { throw .truncated }
        defer { position += length }
        let text = bytes[position..<position + length]
        guard !text.contains(0) else { throw .badText }
        return text
    }

    mutating func takeText() throws(MuxViolation) -> String {
        guard let text = String(validating: try takeBytes(), as: UTF8.self) else { throw .badText }
        return text
    }

    /// Reads a text for people.
    mutating func takeReason() throws(MuxViolation) -> String { MuxReason.bounded(try takeBytes()) }

    /// Throws if bytes are left over.
    func finish() throws(MuxViolation) {
        guard isAtEnd else { throw .trailingBytes(bytes.endIndex - position) }
    }
}
