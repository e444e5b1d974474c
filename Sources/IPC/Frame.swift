/// Limits and header of one IPC packet. Layout, little-endian:
/// version (1 byte), tag (1), zero (2), request id (4), then the message's fields.
public enum Frame {
    /// Version of the protocol between supervisor and worker; both come from one build.
    public static let version: UInt8 = 1
    /// The longest packet in bytes, header included.
    public static let maximumSize = 65_536
    /// Bytes of the header.
    public static let headerSize = 8
    /// The longest text field in bytes of UTF-8.
    public static let maximumText = 32_768
}

/// Appends fields to a packet.
struct FrameWriter {
    private(set) var bytes: [UInt8] = []

    init(tag: UInt8, requestID: UInt32) {
        bytes.reserveCapacity(64)
        bytes += [Frame.version, tag, 0, 0]
        put(requestID)
    }

    mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// A text longer than `limit` is cut at a scalar, so that a long reason is never a reason to fail.
    mutating func put(_ text: String, limit: Int = Frame.maximumText) {
        let utf8 = text.utf8
        var end = utf8.index(utf8.startIndex, offsetBy: limit, limitedBy: utf8.endIndex) ?? utf8.endIndex
        while end < utf8.endIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        put(UInt32(utf8[..<end].count))
        bytes.append(contentsOf: utf8[..<end])
    }
}

/// Takes fields off a packet. Every length is checked before anything is copied.
struct FrameReader {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    let tag: UInt8
    let requestID: UInt32

    init(_ packet: ArraySlice<UInt8>) throws(IPCError) {
        guard packet.count <= Frame.maximumSize else { throw .tooLong(packet.count) }
        guard packet.count >= Frame.headerSize else { throw .truncated }
        bytes = packet
        position = packet.startIndex + 4
        guard packet[packet.startIndex] == Frame.version else { throw .unknownVersion(packet[packet.startIndex]) }
        tag = packet[packet.startIndex + 1]
        guard packet[packet.startIndex + 2] == 0, packet[packet.startIndex + 3] == 0 else { throw .badValue }
        var id: UInt32 = 0
        for offset in (0..<4).reversed() { id = id << 8 | UInt32(packet[packet.startIndex + 4 + offset]) }
        requestID = id
        position += 4
    }

    mutating func take<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type) throws(IPCError) -> Value {
        let size = Value.bitWidth / 8
        guard bytes.endIndex - position >= size else { throw .truncated }
        var value: Value = 0
        for offset in (0..<size).reversed() { value = value << 8 | Value(bytes[position + offset]) }
        position += size
        return value
    }

    mutating func takeText() throws(IPCError) -> String {
        let length = Int(try take(UInt32.self))
        guard length <= Frame.maximumText else { throw .tooLong(length) }
        guard bytes.endIndex - position >= length else { throw .truncated }
        guard let text = String(validating: bytes[position..<position + length], as: UTF8.self) else { throw .badValue }
        position += length
        return text
    }

    func finish() throws(IPCError) {
        guard position == bytes.endIndex else { throw .trailingBytes(bytes.endIndex - position) }
    }
}
