/// Cuts a stream into packets. A length is judged before anything is kept for it.
struct PacketFramer {
    /// OpenSSH sends 256 KiB at most; the draft obliges nobody to more than 34,000 bytes.
    static let longestPacket = 256 * 1024 + 1024

    private var length: [UInt8] = []
    private var packet: [UInt8] = []
    private var missing = 0

    /// The next whole packet behind its length, taken from the front of `bytes`; nil where all of `bytes` is taken and
    /// more must come.
    mutating func next(_ bytes: inout ArraySlice<UInt8>) throws(Malformed) -> ArraySlice<UInt8>? {
        while missing == 0 {
            guard let byte = bytes.popFirst() else { return nil }
            length.append(byte)
            guard length.count == 4 else { continue }
            missing = Int(length.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
            length = []
            guard (1...Self.longestPacket).contains(missing) else { throw Malformed("a packet of \(missing) bytes") }
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
