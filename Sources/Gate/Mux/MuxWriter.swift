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
