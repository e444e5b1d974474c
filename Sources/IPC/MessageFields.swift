/// The fields of one packet, either to be written or to be read. `MessageChoice.walk` visits the fields in order: to write a
/// packet it puts each value into it, and to read one it takes each value from it. So a message is written and read in the same
/// way. Each length is checked before anything is copied.
public struct MessageFields {
    private let isReading: Bool
    /// The packet that is being written.
    private(set) var bytes: [UInt8] = []
    /// The packet that is being read, and the index of its next byte.
    private let packet: ArraySlice<UInt8>
    private var position: Int

    /// The fields of a new packet.
    init(requestID: UInt32) {
        isReading = false
        packet = []
        position = 0
        bytes.reserveCapacity(64)
        bytes += [Frame.version, 0, 0, 0]
        put(requestID)
    }

    /// The fields of a packet that was received.
    init(reading packet: ArraySlice<UInt8>) throws(IPCError) {
        isReading = true
        self.packet = packet
        position = packet.startIndex
        guard packet.count <= Frame.maximumSize else { throw .tooLong(packet.count) }
        guard packet.count >= Frame.headerSize else { throw .truncated }
        let version = try take(UInt8.self)
        guard version == Frame.version else { throw .unknownVersion(version) }
        for _ in 0..<3 { guard try take(UInt8.self) == 0 else { throw .badValue } }
    }

    /// Writes or reads a number.
    public mutating func field<Value: FixedWidthInteger & UnsignedInteger>(_ value: inout Value) throws(IPCError) {
        if isReading { value = try take(Value.self) } else { put(value) }
    }

    /// Permission bits: at most 0777, so no bit that gives rights away.
    public mutating func mode(_ value: inout UInt16) throws(IPCError) {
        try field(&value)
        guard value <= 0o777 else { throw .badValue }
    }

    /// Writes or reads a truth value, 1 or 0.
    public mutating func field(_ value: inout Bool) throws(IPCError) {
        var number: UInt8 = value ? 1 : 0
        try field(&number)
        guard number <= 1 else { throw .badValue }
        value = number == 1
    }

    /// Writes or reads a text of at most `limit` bytes. A longer one is cut when it is written, so that a long text never makes
    /// sending fail. It is refused when it is read.
    public mutating func field(_ text: inout String, limit: Int = Frame.maximumText) throws(IPCError) {
        if isReading { text = try takeText(limit) } else { put(text, limit) }
    }

    /// Writes or reads at most `limit` bytes. More are refused in both directions: what is cut would name something else.
    public mutating func field(_ bytes: inout [UInt8], limit: Int) throws(IPCError) {
        guard isReading else {
            guard bytes.count <= limit else { throw .tooLong(bytes.count) }
            put(UInt32(bytes.count))
            self.bytes += bytes
            return
        }
        bytes = Array(try takeBytes(limit))
    }

    /// Writes or reads one of a closed set: its number, then its fields.
    public mutating func field<Choice: MessageChoice>(_ choice: inout Choice) throws(IPCError) {
        var number = choice.number
        try field(&number)
        if isReading {
            guard let kind = Choice.kinds.first(where: { $0.number == number }) else { throw .unknownTag(number) }
            choice = kind
        }
        try choice.walk(&self)
    }

    /// Writes or reads a value that may be missing: whether it is there, then its fields. It is read by overwriting `blank`.
    public mutating func field<Value>(
        _ value: inout Value?, blank: Value, _ walk: (inout Value, inout MessageFields) throws(IPCError) -> Void
    ) throws(IPCError) {
        var list = value.map { [$0] } ?? []
        try field(&list, limit: 1, blank: blank, walk)
        value = list.first
    }

    /// Writes or reads a list of at most `limit` elements, which is less than 256: how many there are, then the fields of each. A
    /// longer list is cut when it is written, and refused when it is read. Elements are read by overwriting `blank`.
    public mutating func field<Element>(
        _ list: inout [Element], limit: UInt8, blank: Element,
        _ walk: (inout Element, inout MessageFields) throws(IPCError) -> Void
    ) throws(IPCError) {
        var count = UInt8(min(list.count, Int(limit)))
        try field(&count)
        guard count <= limit else { throw .tooLong(Int(count)) }
        if isReading { list = [] }
        for index in 0..<Int(count) {
            var element = isReading ? blank : list[index]
            try walk(&element, &self)
            if isReading { list.append(element) }
        }
    }

    /// Whether the whole packet has been read.
    func finish() throws(IPCError) {
        guard position == packet.endIndex else { throw .trailingBytes(packet.endIndex - position) }
    }

    private mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func put(_ text: String, _ limit: Int) {
        let utf8 = text.utf8
        var end = utf8.index(utf8.startIndex, offsetBy: limit, limitedBy: utf8.endIndex) ?? utf8.endIndex
        while end < utf8.endIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        put(UInt32(utf8[..<end].count))
        bytes.append(contentsOf: utf8[..<end])
    }

    private mutating func take<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type) throws(IPCError) -> Value {
        let size = Value.bitWidth / 8
        guard packet.endIndex - position >= size else { throw .truncated }
        var value: Value = 0
        for offset in (0..<size).reversed() { value = value << 8 | Value(packet[position + offset]) }
        position += size
        return value
    }

    private mutating func takeText(_ limit: Int) throws(IPCError) -> String {
        guard let text = String(validating: try takeBytes(limit), as: UTF8.self) else { throw .badValue }
        return text
    }

    private mutating func takeBytes(_ limit: Int) throws(IPCError) -> ArraySlice<UInt8> {
        let length = Int(try take(UInt32.self))
        guard length <= limit else { throw .tooLong(length) }
        guard packet.endIndex - position >= length else { throw .truncated }
        defer { position += length }
        return packet[position..<position + length]
    }
}
