internal import Glibc

/// Where file systems are mounted, by the kernel's table: to look at a path itself may hang.
enum Mounts {
    /// Where the file system of a path is mounted, by the text of both; nil for the root's.
    static func point(of path: String) -> String? {
        guard let table = text("/proc/self/mountinfo") else { return nil }
        let points = table.split(separator: "\n").compactMap { line in
            line.split(separator: " ").dropFirst(4).first.map { plain(String($0)) }
        }
        return points.filter { $0 != "/" && (path == $0 || path.hasPrefix($0 + "/")) }.max {
            $0.utf8.count < $1.utf8.count
        }
    }

    /// Blanks and backslashes are octal numbers in the table, proc_pid_mountinfo(5).
    private static func plain(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func text(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                read(file, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            guard count > 0 else { break }
            filled += count
        }
        return String(decoding: bytes[..<filled], as: UTF8.self)
    }
}
