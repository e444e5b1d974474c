import Testing

@testable import Tools

/// Uploads with their local file open: bounded for each host and in all.
@Suite struct LocalPlacesTests {
    @Test("a host takes its own places and no other's, and who waits comes next, or gives up")
    func bounds() async throws {
        let places = LocalPlaces(perHost: 2, all: 3)
        var first: LocalPlaces.Place? = try await places.take(for: "a")
        let second = try await places.take(for: "a")
        let third = try await places.take(for: "b")
        #expect(first != nil)
        for host in ["a", "b"] {
            let cancelled = Task { try await places.take(for: host) }
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
        }
        let waiting = Task { try await places.take(for: "a") }
        first = nil
        let next = try await waiting.value
        withExtendedLifetime([second, third, next]) {}
    }
}
