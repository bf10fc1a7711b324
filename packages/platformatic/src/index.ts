export * as Platformatic from "./Platformatic.ts"
