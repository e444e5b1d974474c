/// Writes one message: its length, its type and its fields, all big-endian.
struct MuxWriter {
    private var bytes: [UInt8] = [0, 0, 0, 0]

    init(_ type: RequestType) { put(type.rawValue) }

    init(_ type: ReplyType) { put(type.rawValue) }

    mutating func put(_ value: UInt32) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ flag: Bool) { put(flag ? UInt32(1) : 0) }

    mutating func put(_ text: String) {
        put(UInt32(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    /// The whole message. The types that write its fields keep it within the longest length.
    func finished() -> [UInt8] {
        var message = bytes
        withUnsafeBytes(of: UInt32(bytes.count - 4).bigEndian) { message.replaceSubrange(0..<4, with: $0) }
        return message
    }
}

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

/// Bounds texts for people.
enum MuxReason {
    /// The text before the first zero byte, at most `MuxProtocol.maximumReason` bytes of it. Bytes that are not UTF-8
    /// are replaced.
    static func bounded(_ bytes: some Sequence<UInt8>) -> String {
        let kept = bytes.prefix { $0 != 0 }.prefix(MuxProtocol.maximumReason)
        var text = String(decoding: kept, as: UTF8.self)
        // A replacement character can be longer than the bytes that it replaces.
        while text.utf8.count > MuxProtocol.maximumReason { text.unicodeScalars.removeLast() }
        return text
    }
}
