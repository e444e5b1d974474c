internal import CLinux
internal import FoundationEssentials
internal import Glibc

/// Passes a value that does not fit into a packet, as JSON in a sealed memfd, memfd_create(2).
enum SealedJSON {
    /// Writes a value into a new memfd.
    static func memory(of value: some Encodable, name: String, limit: Int) throws(IPCError) -> OwnedFD {
        guard let json = try? JSONEncoder().encode(value) else { throw .badValue }
        guard json.count <= limit else { throw .tooLong(json.count) }
        let number = csd_memfd_create(name)
        guard number >= 0 else { throw .system(call: "memfd_create", errno: errno) }
        let memory = OwnedFD(taking: number)
        var written = 0
        while written < json.count {
            let count = json.withUnsafeBytes {
                write(memory.rawValue, $0.baseAddress.map { $0 + written }, $0.count - written)
            }
            guard count > 0 else { throw .system(call: "write", errno: errno) }
            written += count
        }
        guard csd_memfd_seal(memory.rawValue) == 0 else { throw .system(call: "fcntl", errno: errno) }
        return memory
    }

    /// Reads a value that `memory` wrote. A descriptor that is not sealed is refused.
    static func value<Value: Decodable>(
        _: Value.Type, in memory: borrowing OwnedFD, limit: Int
    ) throws(IPCError) -> Value {
        guard csd_memfd_is_sealed(memory.rawValue) == 1 else { throw .badValue }
        let size = lseek(memory.rawValue, 0, SEEK_END)
        guard size > 0, size <= limit else { throw .tooLong(Int(size)) }
        var json = Data(count: Int(size))
        let count = json.withUnsafeMutableBytes { pread(memory.rawValue, $0.baseAddress, $0.count, 0) }
        guard count == size else { throw .system(call: "pread", errno: errno) }
        guard let value = try? JSONDecoder().decode(Value.self, from: json) else { throw .badValue }
        return value
    }
}
