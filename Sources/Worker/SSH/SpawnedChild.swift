internal import CLinux
internal import Glibc
internal import IPC

/// A child process of this worker, in its process group.
enum SpawnedChild {
    /// Starts the program at `path`, which has these three descriptors as its standard streams, and no other.
    /// - Parameter watch: takes its pidfd, pidfd_open(2).
    /// - Throws: if it cannot be started or watched. Then no process is left.
    static func start(
        _ path: String, _ arguments: [String], _ environment: [String: String], _ streams: inout PassedDescriptors,
        watch: (consuming OwnedFD) throws(IPCError) -> Void
    ) throws(IPCError) {
        guard let input = streams.take(), let output = streams.take(), let error = streams.take() else {
            throw .badValue
        }
        let first = try input.duplicateForChild()
        let second = try output.duplicateForChild()
        let third = try error.duplicateForChild()
        var pid: pid_t = 0
        let result = withCStrings([path] + arguments) { arguments in
            withCStrings(environment.map { "\($0.key)=\($0.value)" }) { environment in
                csd_spawn(&pid, path, arguments, environment, [first.rawValue, second.rawValue, third.rawValue], 3, 0)
            }
        }
        guard result == 0 else { throw .system(call: "posix_spawn", errno: result) }
        do throws(IPCError) {
            let number = csd_pidfd_open(pid)
            guard number >= 0 else { throw .system(call: "pidfd_open", errno: errno) }
            try watch(OwnedFD(taking: number))
        } catch {
            kill(pid, SIGKILL)
            _ = uninterrupted { waitpid(pid, nil, 0) }
            throw error
        }
    }

    /// Reaps a child that has ended.
    /// - Returns: how it ended; nil while it still runs.
    static func reap(_ pidfd: Int32) -> ChildEnd? {
        var code: Int32 = 0
        var status: Int32 = 0
        switch csd_pidfd_reap(pidfd, &code, &status) {
        case 0: return nil
        case 1: return code == CSD_CLD_EXITED ? .exited(Int(status)) : .signalled(status)
        // waitid(2) fails if this worker was started with SIGCHLD ignored: then the kernel reaps the child.
        default: return .unseen
        }
    }

    /// Calls `body` with null-terminated copies of the strings and a null pointer at the end, as posix_spawn(3) takes them.
    private static func withCStrings<Result>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}
