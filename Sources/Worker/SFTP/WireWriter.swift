/// Writes a packet, its length first.
struct WireWriter {
    private var bytes: [UInt8] = [0, 0, 0, 0]

    init(reserving capacity: Int = 128) {
        bytes.reserveCapacity(capacity)
    }

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func number(_ value: some FixedWidthInteger & UnsignedInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func string(_ value: some Collection<UInt8>) {
        number(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    /// The packet, with its length.
    consuming func packet() -> [UInt8] {
        withUnsafeBytes(of: UInt32(bytes.count - 4).bigEndian) { length in
            for index in 0..<4 { bytes[index] = length[index] }
        }
        return bytes
    }
}
