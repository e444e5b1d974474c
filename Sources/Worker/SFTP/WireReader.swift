/// Reads big-endian numbers and strings, RFC 4251 section 5, from one packet and never beyond its end.
struct WireReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    mutating func byte() throws(Malformed) -> UInt8 {
        guard let first = rest.popFirst() else { throw Malformed("a packet that ends early") }
        return first
    }

    mutating func number32() throws(Malformed) -> UInt32 { UInt32(truncatingIfNeeded: try number(bytes: 4)) }

    mutating func number64() throws(Malformed) -> UInt64 { try number(bytes: 8) }

    /// Reads the bytes of a string without copying them.
    mutating func string() throws(Malformed) -> ArraySlice<UInt8> {
        let length = Int(try number32())
        guard length <= rest.count else { throw Malformed("a string longer than its packet") }
        defer { rest = rest.dropFirst(length) }
        return rest.prefix(length)
    }

    /// Reads how many things of at least `size` bytes follow. Throws if the packet has no room for so many.
    mutating func count(ofAtLeast size: Int) throws(Malformed) -> Int {
        let count = Int(try number32())
        guard count <= rest.count / size else { throw Malformed("a count larger than its packet") }
        return count
    }

    var isAtEnd: Bool { rest.isEmpty }

    /// Takes all that is left.
    mutating func remainder() -> ArraySlice<UInt8> {
        defer { rest = [] }
        return rest
    }

    /// Throws if bytes are left over.
    func expectEnd() throws(Malformed) {
        guard rest.isEmpty else { throw Malformed("a packet with bytes left over") }
    }

    private mutating func number(bytes: Int) throws(Malformed) -> UInt64 {
        guard rest.count >= bytes else { throw Malformed("a packet that ends early") }
        defer { rest = rest.dropFirst(bytes) }
        return rest.prefix(bytes).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
