internal import CLinux
internal import Glibc

/// Who holds a lock of flock(2), by the kernel's table. Trying the lock would hold it for a moment, in which a daemon that starts would
/// be refused.
enum FileLocks {
    /// The process that has the lock on the file at a path; nil if there is none that can be seen.
    static func holder(of path: String) -> Int32? {
        var status = stat()
        guard lstat(path, &status) == 0, let table = text(of: "/proc/locks") else { return nil }
        // Major and minor number of the device in hexadecimal, makedev(3), and the inode: proc_locks(5).
        let device = UInt64(status.st_dev)
        let major = (device >> 8) & 0xFFF | (device >> 32) & ~0xFFF
        let minor = device & 0xFF | (device >> 12) & ~0xFF & 0xFFFF_FFFF
        for line in table.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 6, words[1] == "FLOCK", let pid = Int32(words[4]), pid > 0 else { continue }
            let numbers = words[5].split(separator: ":")
            guard numbers.count == 3, UInt64(numbers[0], radix: 16) == major, UInt64(numbers[1], radix: 16) == minor,
                UInt64(numbers[2]) == UInt64(status.st_ino)
            else { continue }
            return pid
        }
        return nil
    }

    /// At most a megabyte of a file of /proc.
    private static func text(of path: String) -> String? {
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
