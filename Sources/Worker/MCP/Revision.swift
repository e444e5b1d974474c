/// The revisions of MCP that open with `initialize`, and what each of them knows.
enum Revision: String, CaseIterable, Comparable {
    case november2024 = "2024-11-05"
    case march2025 = "2025-03-26"
    case june2025 = "2025-06-18"
    case november2025 = "2025-11-25"

    /// What a client that asks for a revision we do not know is offered.
    static let newest = Revision.november2025

    /// The names are dates, so their order is that of time.
    static func < (left: Revision, right: Revision) -> Bool { left.rawValue < right.rawValue }

    /// `annotations` of a tool.
    var hasAnnotations: Bool { self >= .march2025 }
    /// `title`, `outputSchema` and `structuredContent`.
    var hasStructuredContent: Bool { self >= .june2025 }
    /// `message` of a progress notification.
    var hasProgressMessage: Bool { self >= .march2025 }
    /// JSON-RPC batches were in one revision only.
    var hasBatches: Bool { self == .march2025 }

    /// How results of tools are written.
    var shape: ResultShape { hasStructuredContent ? .structured : .text }
}
