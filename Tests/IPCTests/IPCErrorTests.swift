import Glibc
import Testing

@testable import IPC

@Suite struct IPCErrorTests {
    private static let all: [IPCError] = [
        .closed, .truncated, .trailingBytes(3), .tooLong(70_000), .unknownVersion(9), .unknownTag(200), .badValue,
        .missingDescriptor, .surplusDescriptor, .controlTruncated, .system(call: "posix_spawn", errno: EACCES),
    ]

    @Test(arguments: all)
    func `an error that is put into a sentence reads as words`(error: IPCError) {
        let text = "\(error)"
        #expect(text.contains(" ") && !text.contains("(") && !text.contains("errno"), "\(text)")
    }

    @Test func `a failed call is told with the system's words`() {
        #expect("\(IPCError.system(call: "posix_spawn", errno: EACCES))" == "posix_spawn: Permission denied")
    }

    @Test func `errors are equal only where they are the same`() {
        for (index, error) in Self.all.enumerated() {
            for (other, second) in Self.all.enumerated() { #expect((error == second) == (index == other)) }
        }
    }
}
