internal import CLinux
internal import Glibc
import IPC

/// Judges the program at `ssh_path`, as far as its file shows. Workers may execute it and its loader, but no interpreter of a
/// script.
enum SSHProgram {
    /// Why workers cannot execute it; nil if nothing is wrong that can be seen.
    static func problem(of path: String) -> SSHProgramProblem? {
        var status = stat()
        guard stat(path, &status) == 0 else { return .unreachable(errno: UInt32(clamping: errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            return status.st_mode & S_IFMT == S_IFDIR ? .isDirectory : .isNoRegularFile
        }
        guard access(path, X_OK) == 0 else { return .notExecutable(errno: UInt32(clamping: errno)) }
        guard let header = read(path, at: 0, count: headerLength) else {
            // The program may be executed and not read, so nothing more can be judged.
            return errno == EACCES ? nil : .unreachable(errno: UInt32(clamping: errno))
        }
        guard header.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else { return .isNoELF }
        guard header.count == headerLength else { return .isTruncated }
        if let own = read("/proc/self/exe", at: 0, count: headerLength), own.count == headerLength {
            // Class, byte order, and machine, elf(5).
            guard header[4..<6] == own[4..<6], header[18..<20] == own[18..<20] else {
                return .isForAnotherMachine
            }
        }
        return isWhole(path, header, size: UInt64(status.st_size)) ? nil : .isTruncated
    }

    /// The sizes of ELF for 64 bits, elf(5).
    private static let headerLength = 64
    private static let segmentLength = 56

    /// Whether the file has all bytes of its segments. Only files for 64 bits are judged.
    private static func isWhole(_ path: String, _ header: [UInt8], size: UInt64) -> Bool {
        guard header[4] == 2 else { return true }
        func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        guard header[5] == 1 else { return true }
        let table = number(header[32..<40])
        let count = Int(number(header[56..<58]))
        guard number(header[54..<56]) == segmentLength, table < UInt64(Int64.max),
            let segments = read(path, at: Int(table), count: count * segmentLength),
            segments.count == count * segmentLength
        else { return false }
        return (0..<count).allSatisfy { index in
            let segment = segments.dropFirst(index * segmentLength).prefix(segmentLength)
            let start = segment.startIndex
            let (end, overflow) = number(segment[(start + 8)..<(start + 16)])
                .addingReportingOverflow(number(segment[(start + 32)..<(start + 40)]))
            return !overflow && end <= size
        }
    }

    /// At most so many bytes of a file; nil if it cannot be read, with errno set.
    private static func read(_ path: String, at offset: Int, count: Int) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: count)
        let filled = pread(file, &bytes, count, off_t(offset))
        return filled < 0 ? nil : Array(bytes[..<filled])
    }
}
