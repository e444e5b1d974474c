import Testing

@testable import Supervisor

@Suite("Program log")
struct ProgramLogTests {
    private func lines(_ log: inout ProgramLog, _ text: String) -> [String] { log.append(Array(text.utf8)[...]) }

    @Test func `chunks become lines, empty ones left out`() {
        var log = ProgramLog()
        #expect(lines(&log, "one\ntw") == ["one"])
        #expect(lines(&log, "o\n\n\nthree") == ["two"])
        #expect(lines(&log, "\n") == ["three"])
        #expect(log.flush() == [])
        #expect(lines(&log, "last") == [])
        #expect(log.flush() == ["last"])
        #expect(log.flush() == [])
    }

    @Test func `a line over 4,096 bytes is cut into several, nothing lost`() {
        var log = ProgramLog()
        let text = String(repeating: "a", count: 4096) + String(repeating: "b", count: 4096) + "c"
        #expect(lines(&log, text) == [String(repeating: "a", count: 4096), String(repeating: "b", count: 4096)])
        #expect(lines(&log, "\n") == ["c"])
        #expect(
            lines(&log, String(repeating: "d", count: 4096) + "\ne\n") == [String(repeating: "d", count: 4096), "e"])
    }

    @Test func `bytes that are no UTF-8 are shown as replacements`() {
        var log = ProgramLog()
        #expect(log.append([0x61, 0xFF, 0x62, 0x0A]) == ["a\u{FFFD}b"])
    }
}
