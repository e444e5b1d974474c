import CLinux
import CProbes
import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite struct CapabilityTests {
    @Test("no capability is left, and an execve gives none back")
    func none() async {
        await #expect(processExitsWith: .success) {
            do throws(SandboxError) {
                try Limits.worker.apply()
                try Capabilities.drop()
            } catch {
                exit(99)
            }
            // _LINUX_CAPABILITY_VERSION_3, this thread; effective, permitted and inheritable, twice.
            var header: [UInt32] = [0x2008_0522, 0]
            var sets = [UInt32](repeating: 1, count: 6)
            let result = header.withUnsafeMutableBufferPointer { header in
                sets.withUnsafeMutableBufferPointer { sets in
                    probe_syscall(
                        probe_number("capget"), Int(bitPattern: header.baseAddress), Int(bitPattern: sets.baseAddress),
                        0, 0, 0, 0)
                }
            }
            guard result == 0, sets.allSatisfy({ $0 == 0 }) else { exit(1) }
            // The bounding set (PR_CAPBSET_READ), which only root has to give up, and the ambient one (PR_CAP_AMBIENT_IS_SET).
            let prctl = probe_number("prctl")
            for capability in 0..<41 {
                guard geteuid() != 0 || probe_syscall(prctl, 23, capability, 0, 0, 0, 0) <= 0 else { exit(2) }
                guard probe_syscall(prctl, 47, 1, capability, 0, 0, 0) <= 0 else { exit(3) }
            }
            // What a program that root executes has: nothing either.
            guard LandlockTests.run("/bin/sh", "-c", "grep -q '^CapEff:.0*$' /proc/self/status") == 0 else { exit(4) }
            exit(0)
        }
    }

    @Test(
        "a worker of root does not reach another user's socket",
        .enabled(if: isRoot, "only root's worker has capabilities"))
    func foreignSocket() async throws {
        let place = try TemporaryDirectory()
        await #expect(processExitsWith: .success) { [directory = place.path as String] in
            let path = "\(directory)/s"
            let listener = probe_listen(path)
            // 65534 is nobody.
            guard listener >= 0, chmod(path, 0o600) == 0, chown(path, 65534, 65534) == 0 else { exit(91) }
            let before = probe_connect(path)
            let own = "\(directory)/own"
            guard probe_listen(own) >= 0, chmod(own, 0o600) == 0 else { exit(92) }
            do throws(SandboxError) {
                try Limits.worker.apply()
                try Capabilities.drop()
            } catch {
                exit(99)
            }
            let after = probe_connect(path)
            let ownAfter = probe_connect(own)
            guard before == 0 else { exit(1) }
            guard after == -EACCES else { exit(2) }
            guard ownAfter == 0 else { exit(3) }
            exit(0)
        }
    }
}
