internal import Glibc
internal import IPC

/// What the next workers do, one line each, in a file that a test writes.
enum Script {
    /// Takes the first line; nil where there is none.
    static func next(in directory: String) -> String? {
        let file = OwnedFD(taking: open(directory + "/script", O_RDWR | O_CLOEXEC))
        guard flock(file.rawValue, LOCK_EX) == 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(file.rawValue, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
        guard let first = lines.first else { return nil }
        let rest = Array(lines.dropFirst().map { $0 + "\n" }.joined().utf8)
        guard ftruncate(file.rawValue, 0) == 0, pwrite(file.rawValue, rest, rest.count, 0) == rest.count else {
            return nil
        }
        return String(first)
    }
}
