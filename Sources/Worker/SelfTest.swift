internal import Glibc
internal import Sandbox

/// `--selftest-escape`: confines this process as in service, then tries to get out. For the demo and for an
/// administrator who wants to see it on their own kernel.
enum SelfTest {
    static func run() -> Never {
        guard let home = getpwuid(getuid()).flatMap({ String(validatingCString: $0.pointee.pw_dir) }) else {
            fail("no home directory to test with")
        }
        // What does not exist is refused by nobody: the home directory itself stands in where there is no ~/.ssh.
        let secret = access("\(home)/.ssh", F_OK) == 0 ? "\(home)/.ssh" : home
        do throws(SandboxError) {
            let abi = try Confinement.enter(sshPath: "/usr/bin/ssh", requireLandlock: true)
            print("confined: seccomp and Landlock ABI \(abi)")
        } catch {
            fail("\(error)", status: 3)
        }
        var refused = true
        func attempt(_ what: String, _ result: Int32) {
            if result >= 0 || errno == ENOENT {
                refused = false
                print("\(what): SUCCEEDED, the sandbox does not hold")
            } else {
                print("\(what): refused (\(String(cString: strerror(errno))))")
            }
        }
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), nil]
        attempt("execute /bin/sh", execve("/bin/sh", arguments, [nil]))
        attempt("make an internet socket", socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        attempt("read \(secret)", open(secret, O_RDONLY))
        attempt("list /tmp", open("/tmp", O_RDONLY | O_DIRECTORY))
        attempt("read /proc/self/environ", open("/proc/self/environ", O_RDONLY))
        attempt("write /tmp/claude-ssh-worker.escape", open("/tmp/claude-ssh-worker.escape", O_WRONLY | O_CREAT, 0o600))
        // Flushes what print(_:) has written so far.
        fflush(nil)
        _exit(refused ? 0 : 1)
    }
}
