import IPC
import Testing

@testable import Exec

@Suite("Judging a command")
struct CommandJudgeTests {
    private static func command(
        _ text: String, directory: String = "/srv/app", environment: [String: String] = [:]
    ) -> GateCommand {
        GateCommand(
            host: "box", command: text, directory: directory, environment: environment, seconds: 1, nonce: "abcd1234")
    }

    private static let host: PolicySnapshot.Host = {
        var capabilities = PolicySnapshot.Capabilities()
        capabilities.exec = true
        return PolicySnapshot.Host(
            name: "box", socket: "/s", user: "u", host: "h", baseDir: "/srv", execAllowlist: ["git ", "rm "],
            capabilities: capabilities)
    }()

    private func reason(_ command: GateCommand, _ host: PolicySnapshot.Host = Self.host) -> GateRefusal.Reason? {
        do throws(GateRefusal) {
            try CommandJudge.judge(command, on: host, allowDelete: false)
            return nil
        } catch {
            #expect(error.host == "box")
            return error.reason
        }
    }

    @Test func `what the policy allows passes`() {
        #expect(reason(Self.command("git status")) == nil)
    }

    @Test func `capability, allowlist, deletion, directory: the first that refuses is the answer`() {
        var off = Self.host
        off.capabilities.exec = false
        let worst = Self.command("id; rm x", directory: "/etc", environment: ["LD_PRELOAD": "x"])
        #expect(reason(worst, off) == .capability(.exec))
        #expect(reason(worst) == .variable(name: "LD_PRELOAD"))
        guard
            case .notCovered("id", _, false, ["git ", "rm "], 0) =
                reason(Self.command("id; rm x", directory: "/etc"))
        else {
            Issue.record("the allowlist did not refuse")
            return
        }
        #expect(reason(Self.command("rm x", directory: "/etc")) == .deletes(found: "rm", isUnreadable: false))
        #expect(reason(Self.command("git status", directory: "/etc")) == .outside(base: "/srv", path: "/etc"))
        #expect(reason(Self.command("git status", directory: "")) == .noDirectory(base: "/srv"))
    }
}
