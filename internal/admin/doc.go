// Package admin is what a process shows of itself to orchestrators, scrapers and operators: three ports,
// the status of everything that an operator asks for, and the sentence that sums it up.
package admin
