internal import CLinux
internal import FileBroker
internal import Glibc
internal import IPC
internal import Sandbox

/// `--selftest-escape`: confines this process to one directory, as in service, and then tries to get out. It is for administrators
/// who want to see that on their own kernel.
enum SelfTest {
    static let option = "--selftest-escape"

    /// Makes the directory, has another process try to get out of it, and removes it, which the confined process cannot do.
    static func run() -> Never {
        var template = Array("/tmp/claude-ssh-files.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fail("no directory to test with: errno \(errno)") }
        let directory = template.withUnsafeBufferPointer {
            String(decoding: $0.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        var pid: pid_t = 0
        let words = ["claude-ssh-files", option, directory].map { (word: String) in strdup(word) } + [nil]
        var status: Int32 = 1 << 8
        if posix_spawn(&pid, "/proc/self/exe", nil, nil, words, [nil]) == 0 { waitpid(pid, &status, 0) }
        rmdir(directory)
        // If a signal ended the test, it has no result.
        _exit(status & 0x7F == 0 ? status >> 8 : 1)
    }

    /// Tries to get out of a directory.
    static func attempt(from directory: String) -> Never {
        do throws(SandboxError) {
            let confined = try FileConfinement.enter(FilePolicy(roots: [directory], home: nil), writesOutput: true) {
                _ in
            }
            print("confined: seccomp and Landlock ABI \(confined.landlockABI)")
        } catch {
            fail("\(error)", status: 3)
        }
        var refused = true
        func attempt(_ what: String, _ result: Int32, _ wanted: Bool = false) {
            let error = errno
            let isAsWanted = wanted ? result >= 0 : result < 0 && error != ENOENT
            refused = refused && isAsWanted
            let word =
                switch (result >= 0, wanted) {
                case (true, true): "succeeded, as it must"
                case (true, false): "SUCCEEDED, the sandbox does not hold"
                case (false, true): "FAILED, which it must not (\(String(cString: strerror(error))))"
                case (false, false): "refused (\(String(cString: strerror(error))))"
                }
            print("\(what): \(word)")
        }
        let reading = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        let making = O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC
        attempt("read /etc/passwd", open("/etc/passwd", reading))
        attempt("make a file in /tmp", open("\(directory).escape", making, 0o600))
        attempt("make a file in its root", open("\(directory)/f", making, 0o600), true)
        attempt("read it", open("\(directory)/f", reading), true)
        attempt("move it out", rename("\(directory)/f", "\(directory).escape"))
        attempt("link /etc/passwd into its root", linkat(AT_FDCWD, "/etc/passwd", AT_FDCWD, "\(directory)/p", 0))
        attempt("remove it", unlinkat(AT_FDCWD, "\(directory)/f", 0), true)
        // Flushes the output of print(_:).
        fflush(nil)
        _exit(refused ? 0 : 1)
    }
}
