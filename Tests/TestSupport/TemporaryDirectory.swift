package import Foundation
import Glibc

/// A directory `/tmp/csd.XXXXXX`, mode 0700, removed with everything in it, and with whatever is mounted in it, by `remove()`,
/// `deinit` or the end of the process, whichever is first.
///
/// The path is short because a Unix socket path has room for 107 bytes (unix(7)). A process that confines itself gets the path of
/// one that its parent made: the end of a process may need what is forbidden by then.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// - Parameter readableByAll: mode 0755 instead of 0700, so that another account gets in.
    package init(readableByAll: Bool = false) throws {
        var template = Array("/tmp/csd.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        CrashCleanup.owe(.directory(path))
        // Whatever umask another test may just have.
        chmod(path, readableByAll ? 0o755 : 0o700)
    }

    deinit { remove() }

    /// Removes the directory; the second time does nothing.
    package func remove() {
        guard access(path, F_OK) == 0 else { return }
        // A file system that is mounted in it goes first: one that hangs would hold up whoever looks into it.
        for place in Self.mounts(below: path).reversed() { csd_umount(place, 2) }
        succeeds("/bin/rm", "-rf", "--", path)
        if access(path, F_OK) == 0 { succeeds("/bin/sh", "-c", #"chmod -R u+rwx -- "$1"; rm -rf -- "$1""#, "sh", path) }
        CrashCleanup.settle(.directory(path))
    }

    /// The path of an entry.
    package func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file with exactly this mode; returns its path.
    @discardableResult
    package func write(_ name: String, _ contents: Data, mode: mode_t = 0o600) throws -> String {
        let descriptor = open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: file(name)]) }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: contents)
        fchmod(descriptor, mode)
        try handle.close()
        return file(name)
    }

    @discardableResult
    package func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> String {
        try write(name, Data(text.utf8), mode: mode)
    }

    /// Writes a script that every account may execute; returns its path. A process of its own writes it: as long as anybody has
    /// a file open for writing it cannot be executed (ETXTBSY), and what this process has open, a child that another test is
    /// starting has as well.
    @discardableResult
    package func writeProgram(_ name: String, _ text: String) throws -> String {
        try make(name, #"printf %s "$1" >"$2" && chmod 755 "$2""#, text)
    }

    /// Puts a copy of a program here that every account may execute, in the same way; returns its path.
    @discardableResult
    package func copyProgram(_ program: String, as name: String) throws -> String {
        try make(name, #"cp -- "$1" "$2" && chmod 755 "$2""#, program)
    }

    private func make(_ name: String, _ script: String, _ argument: String) throws -> String {
        guard succeeds("/bin/sh", "-c", script, "sh", argument, file(name)) else {
            throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: file(name)])
        }
        return file(name)
    }

    /// Where something is mounted, in the order of mounting; proc_pid_mountinfo(5).
    private static func mounts(below path: String) -> [String] {
        guard let table = try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) else { return [] }
        return table.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count > 4, fields[4] == path || fields[4].hasPrefix(path + "/") else { return nil }
            return String(fields[4])
        }
    }
}

/// umount2(2), which the module does not have; 2 is MNT_DETACH.
@_silgen_name("umount2")
@discardableResult
private func csd_umount(_ target: UnsafePointer<CChar>, _ flags: Int32) -> Int32

/// Runs a program to its end. Returns whether its exit status is 0.
@discardableResult
package func succeeds(_ words: String...) -> Bool {
    let copies = words.map { strdup($0) } + [nil]
    let variables = [strdup("PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"), nil]
    defer { for copy in copies + variables { free(copy) } }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_RDWR, 0)
    var pid: pid_t = 0
    guard posix_spawn(&pid, words[0], &actions, nil, copies, variables) == 0 else { return false }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status == 0
}

/// Whether this process may give files away.
package let isRoot = geteuid() == 0

/// An account that is neither root nor, for a test of an ordinary user, the caller's.
package let stranger: uid_t = 65534
