import Glibc
import IPC
import Testing

@testable import SSH

@Suite("What the end of an ssh proves of its ControlMaster")
struct MasterCheckTests {
    private func state(_ end: ChildEnd, _ stderr: String = "", isLate: Bool = false) -> HostSessions.MasterState {
        MasterCheck.state(
            by: MasterCheck.Answer(end: end, stderr: stderr, isLate: isLate), sshPath: "/opt/ssh", within: .seconds(2))
    }

    @Test func `only the master's own words show that it lives`() {
        #expect(state(.exited(0), "Master running (pid=77)\r\n") == .alive)
        #expect(MasterCheck.processID("Master running (pid=77)\r\n") == 77)
        for text in ["", "Master running", "Master running (pid=)", "Master running (pid=x)", "(pid=4)", "running"] {
            #expect(state(.exited(0), text) != .alive, "\(text)")
        }
        #expect(state(.exited(1), "Master running (pid=77)") != .alive)
    }

    @Test(arguments: [
        "Control socket connect(/run/x): Connection refused", "mux_client_hello_exchange: read packet failed",
        "muxclient: master hello exchange failed", "Unsupported multiplexing protocol version 5 (expected 4)",
        "kex_exchange_identification: Connection closed by remote host", "/bin/sh: 1: exec: /nonexistent: not found",
    ])
    func `words about its socket show that it does not answer`(text: String) {
        #expect(state(.exited(255), text) == .dead(detail: text))
        #expect(state(.signalled(SIGKILL), isLate: true) == .dead(detail: "no answer within 2 s"))
    }

    @Test func `an ssh that ended otherwise has asked nobody, and what was seen of it is told`() {
        let ends: [(ChildEnd, String, String)] = [
            (.exited(0), "", "ended with status 0, said nothing"),
            (.exited(1), "", "ended with status 1, said nothing"),
            (.exited(255), "", "ended with status 255, said nothing"),
            (.exited(255), "hostname contains invalid characters\r\n", "said \"hostname contains invalid characters\""),
            (.exited(127), "x: not found", "ended with status 127, said \"x: not found\""),
            (.signalled(SIGSEGV), "", "was ended by SIGSEGV"), (.signalled(SIGKILL), "", "was ended by SIGKILL"),
            (.signalled(SIGSYS), "", "was ended by SIGSYS"), (.unseen, "", "ended in a way that was not seen"),
        ]
        for (end, stderr, seen) in ends {
            guard case .unusable(let detail) = state(end, stderr) else {
                Issue.record("\(end) \(stderr): \(state(end, stderr))")
                continue
            }
            #expect(detail.hasPrefix("/opt/ssh ") && detail.contains(seen), "\(detail)")
            #expect(!detail.contains("exited(") && !detail.contains("signalled("), "\(detail)")
        }
        #expect(state(.exited(255), "No user exists for uid 7") == .unusable(detail: "No user exists for uid 7"))
    }
}
