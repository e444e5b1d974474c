package import Glibc
import IPC

/// A new directory below /tmp, mode 0700, removed with what is in it at the end.
package struct TemporaryDirectory: ~Copyable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/csd-unit.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw IPCError.system(call: "mkdtemp", errno: errno) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        // Whatever umask another test may just have.
        chmod(path, 0o700)
    }

    deinit {
        chmod(path, 0o700)
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != "." && name != ".." && unlink(file(name)) != 0 { rmdir(file(name)) }
            }
            closedir(directory)
        }
        rmdir(path)
    }

    package func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file with exactly this mode; returns its path.
    @discardableResult
    package func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> String {
        let file = OwnedFD(taking: open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600))
        guard Glibc.write(file.rawValue, text, text.utf8.count) == text.utf8.count, fchmod(file.rawValue, mode) == 0
        else {
            throw IPCError.system(call: "write", errno: errno)
        }
        return self.file(name)
    }

}

/// Writes a program, and returns its path. A process of its own writes it: as long as anybody has a file open for writing
/// it cannot be executed, and what this process has open, a child that another test is starting has as well.
package func writeProgram(_ path: String, _ text: String) throws -> String {
    guard succeeds("/bin/sh", "-c", #"printf %s "$1" >"$2" && chmod 755 "$2""#, "sh", text, path) else {
        throw IPCError.system(call: "sh", errno: 0)
    }
    return path
}

/// Runs a program to its end. Returns whether its exit status is 0.
@discardableResult
package func succeeds(_ words: String...) -> Bool {
    let copies = words.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    var pid: pid_t = 0
    guard posix_spawn(&pid, words[0], nil, nil, copies, nil) == 0 else { return false }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status == 0
}

/// Whether this process may give files away.
package let isRoot = geteuid() == 0

/// An account that is neither root nor, for a test of an ordinary user, the caller's.
package let stranger: uid_t = 65534
