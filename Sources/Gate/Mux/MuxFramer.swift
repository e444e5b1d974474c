/// Cuts a stream into messages: four bytes of length, and then that many bytes. A length alone takes no memory: only
/// bytes that have arrived are kept.
struct MuxFramer {
    private let limit: Int
    private var buffer: [UInt8] = []
    private var start = 0

    /// - Parameter limit: bytes of the longest message, without the four of its length.
    init(limit: Int) {
        self.limit = limit
    }

    /// Whether all bytes that have arrived were taken as messages.
    var isEmpty: Bool { start == buffer.count }

    /// How many bytes can be read without reading past the message that has begun. A reader that expects a descriptor
    /// after that message must not read more at once: the byte that carries the descriptor must be read alone.
    var wanted: Int {
        let available = buffer.count - start
        return available < 4 ? 4 - available : min(Int(claimedLength), limit) + 4 - available
    }

    mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// Takes the next whole message, without its length; nil if it has not arrived.
    mutating func next() throws(MuxViolation) -> [UInt8]? {
        guard buffer.count - start >= 4 else { return nil }
        let length = claimedLength
        guard length <= limit else { throw .tooLong(length) }
        guard length >= 4 else { throw .truncated }
        let end = start + 4 + Int(length)
        guard buffer.count >= end else { return nil }
        defer { start = end }
        return Array(buffer[start + 4..<end])
    }

    private var claimedLength: UInt32 {
        buffer[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
