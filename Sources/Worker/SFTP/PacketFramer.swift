/// Cuts a stream into packets. It judges a length before it keeps memory for it.
struct PacketFramer {
    /// Bytes of the longest packet, without its length. OpenSSH sends at most 256 KiB; the draft requires no more than
    /// 34,000 bytes.
    static let longestPacket = 256 * 1024 + 1024

    private var length: [UInt8] = []
    private var packet: [UInt8] = []
    private var missing = 0

    /// Whether these bytes are printable: no length of a packet is, they are text that somebody prints.
    private static func isText(_ bytes: [UInt8]) -> Bool {
        bytes.allSatisfy { (0x20...0x7E).contains($0) || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    }

    /// Takes the next whole packet, without its length, from the front of `bytes`; nil if all of `bytes` is taken and
    /// more must come.
    mutating func next(_ bytes: inout ArraySlice<UInt8>) throws(Malformed) -> ArraySlice<UInt8>? {
        while missing == 0 {
            guard let byte = bytes.popFirst() else { return nil }
            length.append(byte)
            guard length.count == 4 else { continue }
            missing = Int(length.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
            guard (1...Self.longestPacket).contains(missing) else {
                throw Self.isText(length) ? Malformed.text(length + bytes) : Malformed("a packet of \(missing) bytes")
            }
            length = []
            packet.reserveCapacity(missing)
        }
        let taken = bytes.prefix(missing)
        packet.append(contentsOf: taken)
        bytes = bytes.dropFirst(taken.count)
        missing -= taken.count
        guard missing == 0 else { return nil }
        defer { packet = [] }
        return packet[...]
    }
}
